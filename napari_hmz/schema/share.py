"""Shares: volumes and runs that their owner lets others see or go on with."""

from typing import Literal, Self

from pydantic import Field, model_validator

from napari_hmz.schema.base import Message

Allows = Literal["read", "continue"]
"""See it; or also send its chunks, steer, stop and resume it."""
AccessRight = Literal["own", "read", "continue"]
"""What the caller may do with something: it is theirs, or shared with them."""


class ShareRequest(Message):
    """With whom something is to be shared: the members of a group, or a person."""

    group: str = Field(default="", max_length=2048)
    """An AARC-G069 group."""
    subject: str = Field(default="", max_length=255)
    """The person, as their issuer names them (`hmz me`)."""
    issuer: str = Field(default="", max_length=2048)
    """The person's issuer; empty: the caller's own."""
    allows: Allows = "read"

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Self:
        if bool(self.group) == bool(self.subject):
            raise ValueError("give either a group or the subject of a person")
        if self.issuer and not self.subject:
            raise ValueError("an issuer goes with a subject")
        return self


class Share(Message):
    """With whom something is shared."""

    id: str
    group: str = ""
    issuer: str = ""
    subject: str = ""
    allows: Allows
    created_at: str
