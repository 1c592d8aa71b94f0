"""What somebody watches goes first, and leaves the rest its part."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from hmz_backend.shares.turn import Share, Turn
from hmz_backend.shares.two_classes import TwoClasses
from napari_hmz.schema import Urgency

EXAMPLES = settings(max_examples=100, deadline=None)  # a busy machine is no failure


def turn(urgency: Urgency, voxels: int = 1, subject: str = "a") -> Turn:
    return Turn(Share(("i", subject), urgency=urgency), voxels=voxels)


def serve(queue: TwoClasses[Turn]) -> Turn:
    found = queue.pop()
    assert found is not None
    queue.release(found.turn)
    return found.turn


def test_a_preview_goes_before_what_waited_first() -> None:
    queue: TwoClasses[Turn] = TwoClasses()
    for urgency in ("batch", "batch", "interactive"):
        queue.push(turn(urgency), turn(urgency))
    assert serve(queue).share.urgency == "interactive"


@EXAMPLES
@given(
    st.floats(0.1, 0.9),
    st.lists(st.integers(1, 50), min_size=1, max_size=5),
    st.lists(st.integers(1, 50), min_size=1, max_size=5),
)
def test_while_both_wait_previews_take_no_more_than_the_cap_and_one_tile(
    cap: float, quick: list[int], slow: list[int]
) -> None:
    queue: TwoClasses[Turn] = TwoClasses(cap)
    classes: list[tuple[Urgency, list[int]]] = [("interactive", quick), ("batch", slow)]
    for number in range(400):
        for urgency, sizes in classes:
            waits = turn(urgency, sizes[number % len(sizes)])
            queue.push(waits, waits)
    voxels = Counter[str]()
    for _ in range(300):
        served = serve(queue)
        voxels[served.share.urgency] += served.voxels
        assert voxels["interactive"] <= cap * voxels.total() + max(quick) + 1e-6
    assert voxels["interactive"] >= cap * voxels.total() - max(quick) - max(slow)


def test_alone_either_class_has_everything() -> None:
    queue: TwoClasses[Turn] = TwoClasses(0.5)
    for _ in range(100):
        queue.push(turn("interactive"), turn("interactive"))
    for _ in range(50):
        serve(queue)
    queue.push(turn("batch"), turn("batch"))
    assert serve(queue).share.urgency == "interactive"  # what was alone is not held against it
    assert serve(queue).share.urgency == "batch"


def test_previews_are_shared_fairly_among_people() -> None:
    queue: TwoClasses[Turn] = TwoClasses()
    for _ in range(10):
        queue.push(turn("interactive"), turn("interactive"))
    queue.push(turn("interactive", subject="b"), turn("interactive", subject="b"))
    assert "b" in [serve(queue).share.holder[1] for _ in range(2)]
    assert queue.ahead(Share(("i", "a"), urgency="interactive")) == 0
