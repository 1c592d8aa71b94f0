"""The wire: every path, header and media type, once for both sides."""

from typing import Final
from urllib.parse import quote

API: Final = "/v1"
KSERVE: Final = "/v2"
"""Where KServe's own protocol is spoken, for clients that are not ours."""
PROTOCOL_VERSION: Final = 1
"""Raised when an older peer could misunderstand; both sides name it in `PROTOCOL_HEADER`."""
OLDEST_CLIENT: Final = 1
"""The oldest protocol version that this backend accepts."""
OLDEST_BACKEND: Final = 1
"""The oldest protocol version that this client accepts."""

PROTOCOL_HEADER: Final = "HMZ-Protocol"
REQUEST_ID_HEADER: Final = "X-Request-ID"
IDEMPOTENCY_HEADER: Final = "Idempotency-Key"
DIGEST_HEADER: Final = "Content-Digest"
"""RFC 9530: `sha-256=:<base64>:` over the bytes of the body."""
WANT_DIGEST_HEADER: Final = "Want-Content-Digest"
"""RFC 9530; `NO_DIGEST` of a client that knows the digest already."""
NO_DIGEST: Final = "sha-256=0"
NO_CACHE: Final = "no-cache"
"""RFC 9111, in `Cache-Control`: of a client that wants what is there now."""
LAST_EVENT_HEADER: Final = "Last-Event-ID"
HEADERS: Final = (
    PROTOCOL_HEADER,
    REQUEST_ID_HEADER,
    IDEMPOTENCY_HEADER,
    DIGEST_HEADER,
    WANT_DIGEST_HEADER,
    LAST_EVENT_HEADER,
)
"""All that are named here."""

PROBLEM_TYPE: Final = "application/problem+json"
BYTES_TYPE: Final = "application/octet-stream"
EVENTS_TYPE: Final = "text/event-stream"

HEALTH: Final = f"{API}/health"
SIGN_IN: Final = f"{API}/sign-in"
MODELS: Final = f"{API}/models"
VOLUMES: Final = f"{API}/volumes"
PLANS: Final = f"{API}/plans"
RUNS: Final = f"{API}/runs"
ME: Final = f"{API}/me"
TOKENS: Final = f"{API}/tokens"
USAGE: Final = f"{API}/usage"
METRICS: Final = "/metrics"
"""For Prometheus, which expects it there."""


def model(model_id: str, version: str | None = None) -> str:
    """Path of one model's card."""
    return f"{MODELS}/{model_id}" + (f"/{version}" if version else "")


def picture(model_id: str, version: str, name: str) -> str:
    """Path of the thumbnail that a card names; the name is the card's and may hold anything."""
    return f"{model(model_id, version)}/{quote(name)}"


def volume(volume_id: str) -> str:
    """Path of one volume."""
    return f"{VOLUMES}/{volume_id}"


def chunk(volume_id: str, key: str) -> str:
    """Path of one chunk of a volume; `key` is its zarr key."""
    return f"{volume(volume_id)}/chunks/{key}"


def shares(thing: str) -> str:
    """Path of the shares of a volume or run, given its path."""
    return f"{thing}/shares"


def share(thing: str, share_id: str) -> str:
    """Path of one share of a volume or run, given its path."""
    return f"{shares(thing)}/{share_id}"


def absent(volume_id: str) -> str:
    """Path to announce chunks that are fill value."""
    return f"{volume(volume_id)}/absent"


def wanted(volume_id: str) -> str:
    """Path of the long poll for chunks that are wanted now."""
    return f"{volume(volume_id)}/wanted"


def run(run_id: str) -> str:
    """Path of one run."""
    return f"{RUNS}/{run_id}"


def events(run_id: str) -> str:
    """Path of a run's events."""
    return f"{run(run_id)}/events"


def focus(run_id: str) -> str:
    """Path to say what the viewer looks at."""
    return f"{run(run_id)}/focus"


def cancel(run_id: str) -> str:
    """Path to stop a run."""
    return f"{run(run_id)}/cancel"


def resume(run_id: str) -> str:
    """Path to let a run that was cancelled or has failed go on."""
    return f"{run(run_id)}/resume"


def output(run_id: str, name: str, key: str = "") -> str:
    """Path of a key in an output's zarr store."""
    return f"{run(run_id)}/outputs/{name}/{key}"


def token(token_id: str) -> str:
    """Path of one token that the caller has made."""
    return f"{TOKENS}/{token_id}"
