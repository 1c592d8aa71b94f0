"""The chain of records: each holds the digest of the one before it. Pure.

```
record 1: {"number":1, "previous":"000…", what, who, …} ── SHA-256 ──> digest 1
record 2: {"number":2, "previous": digest 1, …}         ── SHA-256 ──> digest 2   …
```

So a record that is changed, removed, moved or put in breaks the chain there. Whoever rewrites all
records after it as well, or cuts the end off, is found by a mark that lies elsewhere: the number
and digest of a record, taken earlier.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hmz_backend.audit.entry import Entry

BEFORE_THE_FIRST: Final = "0" * 64
"""What the first record holds as the digest of the one before."""
REMOVAL: Final = "records.removed"


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the chain: it can lie elsewhere, and the chain must lead through it.

    Parameters
    ----------
    number
        Of a record; 0: before the first.
    digest
        The record's.
    """

    number: int = 0
    digest: str = BEFORE_THE_FIRST


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it is kept.

    Parameters
    ----------
    number
        Its place, from 1.
    at
        When it was written: ISO 8601 in UTC.
    body
        What it says: canonical JSON, with number, time and the digest of the record before.
    digest
        SHA-256 of the body.
    """

    number: int
    at: str
    body: str
    digest: str

    def document(self) -> dict[str, Any]:
        """Return what it says."""
        said: dict[str, Any] = json.loads(self.body)
        return said


class TrailBroken(Exception):
    """The chain is not as it was written.

    Parameters
    ----------
    number
        The first record that shows it.
    why
        What is wrong there.
    """

    def __init__(self, number: int, why: str) -> None:
        super().__init__(f"Record {number}: {why}.")
        self.number = number
        self.why = why


def canonical(document: Mapping[str, Any]) -> str:
    """Return the one text that stands for a document: sorted, without spaces, ASCII."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)


def sealed(before: Mark, at: str, entry: Entry) -> Record:
    """Return the record of an act that follows a place in the chain."""
    number = before.number + 1
    body = canonical({**entry.document(), "number": number, "at": at, "previous": before.digest})
    return Record(number, at, body, hashlib.sha256(body.encode()).hexdigest())


def verify(
    records: Iterable[Record], head: Mark | None = None, marks: Sequence[Mark] = ()
) -> tuple[Mark, Mark]:
    """Follow the chain; return where it begins and where it ends.

    Parameters
    ----------
    records
        In the order of their numbers.
    head
        Where the chain must end; none: this is a piece of it, whose beginning proves nothing.
    marks
        Through which it must lead; those before its first record say nothing of it.

    Raises
    ------
    TrailBroken
        At the first record that is not as it was written.
    """
    expected = {mark.number: mark.digest for mark in marks}
    begin: Mark | None = None
    last, removed = Mark(), Mark()
    for record in records:
        document = _checked(record)
        if begin is None:
            begin = last = Mark(record.number - 1, str(document.get("previous")))
            _check_mark(begin, expected)
        _check_place(record, document, last)
        last = Mark(record.number, record.digest)
        _check_mark(last, expected)
        if document.get("what") == REMOVAL:
            removed = Mark(document["more"]["until"], document["more"]["digest"])
    begin = begin or Mark()
    if head is not None:
        _check_begin(begin, removed)
    _check_end(last, head, marks)
    return begin, last


def _checked(record: Record) -> dict[str, Any]:
    """Return what a record says, if it is what its digest was made of."""
    if hashlib.sha256(record.body.encode()).hexdigest() != record.digest:
        raise TrailBroken(record.number, "what it says is not what its digest was made of")
    try:
        document = record.document()
        told = (document["number"], document["at"])
    except (ValueError, KeyError, TypeError) as error:
        raise TrailBroken(record.number, "it is no record") from error
    if told != (record.number, record.at):
        raise TrailBroken(record.number, "its number or its time was changed")
    return document


def _check_place(record: Record, document: Mapping[str, Any], last: Mark) -> None:
    if record.number != last.number + 1:
        raise TrailBroken(last.number + 1, f"it is missing: {record.number} comes in its place")
    if document.get("previous") != last.digest:
        raise TrailBroken(record.number, "it does not follow the record before it")


def _check_mark(mark: Mark, expected: Mapping[int, str]) -> None:
    if expected.get(mark.number, mark.digest) != mark.digest:
        raise TrailBroken(mark.number, "it is another one than when the checkpoint was taken")


def _check_begin(begin: Mark, removed: Mark) -> None:
    """Take records for removed by right only if a later record says so."""
    if begin != removed:
        first = min(begin.number, removed.number) + 1
        raise TrailBroken(first, "it is missing, and no record says that it was removed")


def _check_end(last: Mark, head: Mark | None, marks: Sequence[Mark]) -> None:
    furthest = max([*marks, *([head] if head else [])], key=lambda mark: mark.number, default=last)
    if furthest.number > last.number:
        raise TrailBroken(last.number + 1, "it is missing: the end was cut off")
    if head is not None and head != last:
        raise TrailBroken(last.number, "it is not the last one that was written")
