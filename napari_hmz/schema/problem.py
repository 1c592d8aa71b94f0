"""Problem details (RFC 9457): the one shape of every error on the wire."""

from typing import Protocol

from napari_hmz.schema.base import Message


class Problem(Message):
    """An error as it travels, with what the user can do about it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    code: str
    """Stable: programs compare it, documentation explains it."""
    remedy: str = ""
    request_id: str = ""


class ErrorLike(Protocol):
    """What an error must tell to become a problem document; `napari_hmz.errors` do."""

    @property
    def code(self) -> str:
        """Stable code."""

    @property
    def status(self) -> int:
        """HTTP status."""

    @property
    def title(self) -> str:
        """The kind of error, in words."""

    detail: str
    remedy: str
    request_id: str


def to_problem(error: ErrorLike, request_id: str = "") -> Problem:
    """Describe `error` as it travels; its cause stays behind."""
    return Problem(
        type=f"urn:napari-hmz:error:{error.code}",
        title=error.title,
        status=error.status,
        detail=error.detail,
        code=error.code,
        remedy=error.remedy,
        request_id=error.request_id or request_id,
    )
