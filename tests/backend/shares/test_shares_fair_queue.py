"""Shares follow the weights, nobody starves, nothing stands idle: whatever people ask for."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hmz_backend.shares.fair_queue import FairQueue
from hmz_backend.shares.turn import Share, Turn

EXAMPLES = settings(max_examples=150, deadline=None)  # a busy machine is no failure
SIZES = st.integers(1, 100)
WEIGHTS = st.sampled_from([0.25, 0.5, 1.0, 2.0, 5.0])


def turn(subject: int | str, voxels: int = 1, weight: float = 1.0, order: int = 0) -> Turn:
    return Turn(Share(("i", str(subject)), weight), (order,), voxels)


@dataclass
class Person:
    """Somebody who always has more to do, in tiles of these sizes."""

    name: str
    weight: float
    sizes: Sequence[int]
    asked: int = 0
    served: int = 0

    def next(self) -> Turn:
        self.asked += 1
        return turn(self.name, self.sizes[self.asked % len(self.sizes)], self.weight)


@dataclass
class Places:
    """So many places in front of a queue, filled at once and emptied as a test says."""

    queue: FairQueue[str]
    size: int
    held: list[Turn] = field(default_factory=list)
    log: list[Turn] = field(default_factory=list)

    def fill(self) -> None:
        while len(self.held) < self.size and (entry := self.queue.pop()) is not None:
            self.held.append(entry.turn)
            self.log.append(entry.turn)

    def end(self, which: int) -> None:
        self.queue.release(self.held.pop(which % len(self.held)))


@st.composite
def people(draw: st.DrawFn) -> list[Person]:
    count = draw(st.integers(2, 6))
    sizes = st.lists(SIZES, min_size=1, max_size=4)
    return [Person(str(number), draw(WEIGHTS), draw(sizes)) for number in range(count)]


@EXAMPLES
@given(people(), st.integers(1, 5), st.lists(st.integers(0, 9), min_size=40, max_size=120))
def test_long_run_shares_are_within_one_largest_tile_of_the_weights(
    everybody: list[Person], size: int, ends: list[int]
) -> None:
    queue: FairQueue[str] = FairQueue()
    places = Places(queue, size)
    for person in everybody:
        for _ in range(200):  # more than can be served: all wait all the time
            queue.push(person.next(), person.name)
    places.fill()
    for which in ends:
        places.end(which)
        places.fill()
    voxels = Counter[str]()
    for served in places.log:
        voxels[served.share.holder[1]] += served.voxels
    for one in everybody:
        for other in everybody:
            apart = abs(voxels[one.name] / one.weight - voxels[other.name] / other.weight)
            largest = max(max(p.sizes) / p.weight for p in (one, other))
            assert apart <= largest + 1e-6


@EXAMPLES
@given(people(), st.integers(1, 100), st.integers(0, 60))
def test_who_comes_late_has_neither_credit_nor_debt(
    everybody: list[Person], size: int, before: int
) -> None:
    queue: FairQueue[str] = FairQueue()
    for person in everybody:
        for _ in range(300):
            queue.push(person.next(), person.name)
    for _ in range(before):
        entry = queue.pop()
        assert entry is not None
        queue.release(entry.turn)
    late = Person("late", 1.0, [size])
    for _ in range(300):
        queue.push(late.next(), "late")
    since = Counter[str]()
    for _ in range(150):
        entry = queue.pop()
        assert entry is not None
        since[entry.item] += entry.turn.voxels
        queue.release(entry.turn)
    for person in everybody:  # the bound of the source: one largest turn of each
        bound = max(person.sizes) / person.weight + size
        assert abs(since[person.name] / person.weight - since["late"]) <= bound + 1e-6


@EXAMPLES
@given(people(), st.booleans(), st.integers(1, 6), st.data())
def test_nobody_starves_and_no_place_stands_idle(
    everybody: list[Person], evenly: bool, size: int, data: st.DataObject
) -> None:
    queue: FairQueue[str] = FairQueue(evenly=evenly)
    places = Places(queue, size)
    waiting = Counter[str]()
    for person in everybody:
        for _ in range(data.draw(st.integers(1, 12))):
            queue.push(person.next(), person.name)
            waiting[person.name] += 1
    while waiting.total() > len(places.log):
        places.fill()
        assert len(places.held) == size or not queue.waits()
        places.end(data.draw(st.integers(0, 5)))
    served = Counter(served.share.holder[1] for served in places.log)
    assert served == waiting


@pytest.mark.parametrize("evenly", [False, True])
def test_a_single_tile_is_not_behind_a_thousand(evenly: bool) -> None:
    queue: FairQueue[str] = FairQueue(evenly=evenly)
    for _ in range(1000):
        queue.push(turn("many", 50), "many")
    for _ in range(4):
        queue.pop()
    queue.push(turn("one", 50), "one")
    assert queue.ahead(("i", "one")) <= 1
    assert "one" in [entry.item for entry in (queue.pop(), queue.pop()) if entry is not None]


def test_places_are_held_in_even_parts_by_weight() -> None:
    queue: FairQueue[str] = FairQueue(evenly=True)
    for _ in range(50):
        queue.push(turn("heavy", 10, weight=3.0), "heavy")
        queue.push(turn("large", 10), "large")
        queue.push(turn("small", 5), "small")
    got = Counter(entry.item for _ in range(24) if (entry := queue.pop()) is not None)
    voxels = {"heavy": got["heavy"] * 10 / 3, "large": got["large"] * 10, "small": got["small"] * 5}
    assert max(voxels.values()) - min(voxels.values()) <= 10


def test_within_a_share_the_order_decides_then_the_arrival() -> None:
    queue: FairQueue[int] = FairQueue()
    for number, order in enumerate([1, 1, 0, 1, 0]):
        queue.push(turn("a", order=order), number)
    found = [queue.pop() for _ in range(5)]
    assert [entry and entry.item for entry in found] == [2, 4, 0, 1, 3]


def test_what_is_removed_costs_nothing() -> None:
    queue: FairQueue[str] = FairQueue()
    gone = [queue.push(turn("a", 1000), "a") for _ in range(5)]
    for entry in gone:
        queue.remove(entry)
    queue.push(turn("b"), "b")
    queue.push(turn("b"), "b")
    queue.push(turn("a"), "a")
    found = [queue.pop() for _ in range(4)]
    assert [entry and entry.item for entry in found] == ["b", "a", "b", None]


def test_no_more_than_the_limit_is_held_unless_it_is_a_single_turn() -> None:
    queue: FairQueue[str] = FairQueue(most_voxels=25)
    for _ in range(4):
        queue.push(turn("a", 10), "a")
    queue.push(turn("b", 80), "b")
    found = [entry for _ in range(5) if (entry := queue.pop()) is not None]
    assert sorted(entry.item for entry in found) == ["a", "a", "b"]
    queue.release(found[0].turn)
    assert queue.waits()


def test_only_who_holds_nothing_gets_a_spare_place() -> None:
    queue: FairQueue[str] = FairQueue(evenly=True)
    for name in ("a", "a", "b"):
        queue.push(turn(name), name)
    assert queue.pop() is not None
    spare = queue.pop(idle_only=True)
    assert spare is not None
    assert spare.item == "b"
    assert queue.pop(idle_only=True) is None


def test_nothing_is_kept_of_people_who_are_gone() -> None:
    queue: FairQueue[int] = FairQueue()
    for _ in range(10):
        queue.push(turn("always", 2), 0)
    for number in range(5000):
        queue.push(turn(number), number)
        for _ in range(2):
            entry = queue.pop()
            assert entry is not None
            queue.release(entry.turn)
        queue.push(turn("always", 2), 0)
    assert len(queue._lines) < 300
