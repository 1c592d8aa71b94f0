"""Log lines, for people or as JSON: what happened, and for which request, run and block.

A line is one line whatever a client has sent: what could begin another one is written out.
"""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal

from hmz_backend.request_id import current_request
from hmz_backend.watch.about import known
from hmz_backend.watch.secrets import without_secrets

Form = Literal["plain", "json"]
MORE: Final = "more"
"""The name under which a line's own facts are handed over: `log.info(..., extra={MORE: {}})`."""
_CONTROLS: Final = {code: f"\\x{code:02x}" for code in (*range(32), 127, *range(128, 160))} | {
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}


class PlainLines(logging.Formatter):
    """For people: time, level, logger, message, and what it is about."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a line; the lines of a stack trace follow it, set in."""
        words = " ".join(f"{name}={value}" for name, value in _about().items())
        message = without_secrets(record.getMessage()).translate(_CONTROLS)
        line = f"{_time(record)} {record.levelname} {record.name}: {message}"
        line += f" [{words}]" if words else ""
        return "\n    ".join([line, *_trace(self, record).splitlines()])


class JsonLines(logging.Formatter):
    """For programs: one JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a line."""
        told: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": without_secrets(record.getMessage()),
            **_about(),
            **_more(record),
        }
        if trace := _trace(self, record):
            told["trace"] = trace
        return json.dumps(told, ensure_ascii=True, default=str)


def set_up_logging(form: Form = "plain") -> logging.Handler:
    """Write the log to standard error, one line per entry; return what writes it."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else PlainLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for chatty in ("alembic", "httpx", "opentelemetry"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    return handler


def _about() -> dict[str, str | int]:
    request = current_request()
    return {**({"request": request} if request else {}), **known()}


def _more(record: logging.LogRecord) -> Mapping[str, Any]:
    more: Mapping[str, Any] = getattr(record, MORE, {})
    return {
        name: without_secrets(value) if isinstance(value, str) else value
        for name, value in more.items()
    }


def _time(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    found = formatter.formatException(record.exc_info) if record.exc_info else ""
    return without_secrets(found)
