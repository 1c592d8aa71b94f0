"""What the keeper of a run keeps together, and what it leaves when it is stopped."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from hmz_backend.runs import keeper
from hmz_backend.runs.keeper import Keeper
from hmz_backend.runs.receipt import Receipt
from napari_hmz.errors import DiskFull

SOON_S = 5.0  # far more than all of this takes


class Book:
    """Where receipts are kept: one batch after the other, when it is let."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.told = asyncio.Event()
        self.let = asyncio.Event()
        self.let.set()
        self.is_full = False

    async def keep(self, receipts: Sequence[Receipt]) -> None:
        await self.let.wait()
        if self.is_full:
            raise DiskFull("no room")
        self.batches.append([receipt.block for receipt in receipts])

    def wake(self) -> None:
        self.told.set()

    async def next(self) -> None:
        """Return once another batch has ended."""
        self.told.clear()
        await self.told.wait()


def run(
    check: Callable[[Keeper, Book], Awaitable[None]],
    monkeypatch: pytest.MonkeyPatch,
    together_s: float = SOON_S,
) -> None:
    monkeypatch.setattr(keeper, "TOGETHER_S", together_s)

    async def inside() -> None:
        book = Book()
        async with asyncio.timeout(SOON_S / 2):
            await check(Keeper(book.keep, book.wake), book)

    asyncio.run(inside())


def receipts(*blocks: int) -> list[Receipt]:
    return [Receipt(block=block) for block in blocks]


def test_the_first_is_kept_at_once_and_what_follows_soon_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def check(found: Keeper, book: Book) -> None:
        found.take(receipts(1))
        await book.next()
        found.take(receipts(2, 3))
        await asyncio.sleep(0.01)
        found.take(receipts(4))
        assert (book.batches, len(found)) == ([[1]], 3)
        await found.settle()
        assert (book.batches, len(found)) == ([[1], [2, 3, 4]], 0)

    run(check, monkeypatch)


def test_nothing_waits_for_more_when_there_is_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(found: Keeper, book: Book) -> None:
        found.take(receipts(1))
        await found.settle()
        found.take(receipts(2))
        found.hurry()
        await book.next()
        assert book.batches == [[1], [2]]

    run(check, monkeypatch)


def test_what_waits_is_kept_by_itself_after_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(found: Keeper, book: Book) -> None:
        for block in range(3):
            found.take(receipts(block))
            await book.next()
        assert book.batches == [[0], [1], [2]]

    run(check, monkeypatch, together_s=0.01)


def test_what_is_being_kept_counts_and_the_next_batch_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def check(found: Keeper, book: Book) -> None:
        book.let.clear()
        found.take(receipts(1, 2))
        await asyncio.sleep(0.01)
        found.take(receipts(3))
        assert (book.batches, len(found)) == ([], 3)
        book.let.set()
        await found.settle()
        assert book.batches == [[1, 2], [3]]

    run(check, monkeypatch)


def test_a_failure_wakes_whoever_waits_and_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(found: Keeper, book: Book) -> None:
        book.is_full = True
        found.take(receipts(1))
        await book.next()
        await asyncio.sleep(0)
        with pytest.raises(DiskFull):
            found.check()
        with pytest.raises(DiskFull):
            await found.settle()
        found.take(receipts(2))
        assert await found.stop() == receipts(2)

    run(check, monkeypatch)


def test_stopping_gives_back_what_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(found: Keeper, book: Book) -> None:
        found.take(receipts(1))
        await found.settle()
        found.take(receipts(2, 3))
        await asyncio.sleep(0)
        assert await found.stop() == receipts(2, 3)
        assert book.batches == [[1]]

    run(check, monkeypatch)
