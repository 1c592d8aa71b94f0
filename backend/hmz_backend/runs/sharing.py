"""Sharing: an owner lets others see a volume or run, or go on with it, and takes that back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import uuid4

from sqlalchemy import Connection

from hmz_backend.access import share_records
from hmz_backend.access.known import KnownRights
from hmz_backend.access.rights import Right, check_right
from hmz_backend.audit.entry import Entry, What
from hmz_backend.audit.trail import recording
from hmz_backend.database.access import Database
from hmz_backend.entitlements import NotAnEntitlement, canonical_group
from hmz_backend.identity.protocol import Principal
from hmz_backend.runs.clock import now
from napari_hmz.errors import NotFound, RequestError
from napari_hmz.schema import Share, ShareRequest

MOST: Final = 100  # shares of one thing: more people than that are a group

ACTS: Final[Mapping[tuple[str, str], What]] = {
    ("volume", "shared"): "volume.shared",
    ("volume", "unshared"): "volume.unshared",
    ("run", "shared"): "run.shared",
    ("run", "unshared"): "run.unshared",
}


@dataclass(frozen=True, slots=True)
class Sharing:
    """The shares of all volumes, or of all runs.

    Parameters
    ----------
    database
        Where they are kept.
    known
        What is forgotten when a share is taken back.
    find
        Finds a volume or run, and what a caller may do with it.
    word
        What it is called.
    """

    database: Database
    known: KnownRights
    find: Callable[[Connection, Principal, str], tuple[Any, Right]]
    word: Literal["volume", "run"]

    async def listing(self, caller: Principal, thing: str) -> list[Share]:
        """Return the shares of something that is the caller's; raises as `check_right`."""
        await self._check_owner(caller, thing)
        return await self.database.read(lambda c: share_records.shares_of(c, thing))

    async def add(self, caller: Principal, thing: str, request: ShareRequest) -> Share:
        """Share something that is the caller's; for the same people again: change what they may.

        Raises
        ------
        NotFound, NotAllowed
            If it is not the caller's.
        RequestError
            If the group is none, or there are too many shares.
        """
        there = await self.listing(caller, thing)
        if len(there) >= MOST:
            raise RequestError(
                f"The {self.word} is shared {MOST} times.", remedy="Share it with a group."
            )
        share = Share(
            id=uuid4().hex,
            group=_canonical(request.group) if request.group else "",
            issuer=(request.issuer or caller.issuer) if request.subject else "",
            subject=request.subject,
            allows=request.allows,
            created_at=now(),
        )
        act = self._act("shared", caller, thing, share)
        await self.database.write(
            lambda c: share_records.put_share(c, thing, share), last=recording(act)
        )
        self.known.forget()
        return share

    async def remove(self, caller: Principal, thing: str, share: str) -> None:
        """Take a share back: at once, nothing more is let through.

        Raises
        ------
        NotFound, NotAllowed
            If there is none, or it is not the caller's.
        """
        there = await self.listing(caller, thing)
        ended = next((each for each in there if each.id == share), None)
        if ended is None:
            raise NotFound("There is no such share.")
        act = self._act("unshared", caller, thing, ended)
        await self.database.write(
            lambda c: share_records.remove_share(c, thing, share), last=recording(act)
        )
        self.known.forget()

    def _act(
        self, done: Literal["shared", "unshared"], caller: Principal, thing: str, share: Share
    ) -> Entry:
        """Return what the audit trail is told: with whom, and for what."""
        whom = {"group": share.group, "issuer": share.issuer, "subject": share.subject}
        more = {name: value for name, value in whom.items() if value}
        act = ACTS[self.word, done]
        return Entry(act, caller, thing=thing, more={**more, "allows": share.allows})

    async def _check_owner(self, caller: Principal, thing: str) -> None:
        _, right = await self.database.read(lambda c: self.find(c, caller, thing))
        check_right(right, Right.OWN, self.word)


def _canonical(group: str) -> str:
    try:
        return canonical_group(group)
    except NotAnEntitlement as error:
        raise RequestError(
            f"{group!r} is no group: {error}.",
            remedy="Give it as `hmz me` shows groups, or give the subject of a person.",
        ) from error
