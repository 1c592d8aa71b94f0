"""The time of day as it is stored: ISO 8601, UTC, milliseconds."""

from datetime import UTC, datetime


def now() -> str:
    """Return the time of day."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
