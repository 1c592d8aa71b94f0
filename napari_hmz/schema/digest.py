"""Content digests (RFC 9530): both sides can tell that a body came as it was sent."""

import base64
import binascii
import hashlib


def content_digest(body: bytes) -> str:
    """Return the value of the `Content-Digest` header for `body`."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def digest_fits(header: str | None, body: bytes) -> bool:
    """Return whether `body` has the digest that the header names; true if it names no SHA-256."""
    named = [part.strip() for part in (header or "").split(",")]
    digests = [part for part in named if part.lower().startswith("sha-256=")]
    if not digests:
        return True
    wanted = content_digest(body).partition("=")[2]
    return all(digest.partition("=")[2] == wanted for digest in digests)


def named_sha256(header: str | None) -> bytes | None:
    """Return the SHA-256 that a header names, which `digest_fits` has compared; None if none."""
    for part in (header or "").split(","):
        name, _, value = part.strip().partition("=")
        if name.lower() == "sha-256":
            try:
                return base64.b64decode(value.strip(":"), validate=True)
            except binascii.Error:
                return None
    return None
