"""Where a run stands: the backend's word refined by what this process spends its time on."""

import pytest

from napari_hmz.schema import ChunkDone, Progress, Progressed, RunState, StateChanged
from napari_hmz.schema.run import Waiting
from napari_hmz.standing import SPAN_S, WORDS, Doing, Gauge
from napari_hmz.transfer.traffic import Counts


class Scale:
    """A carrier and a clock that the test turns."""

    def __init__(self) -> None:
        self.now_s, self.counts, self.lack = 0.0, Counts(), ""

    def clock(self) -> float:
        return self.now_s


def gauge(scale: Scale, *, state: RunState = "running", waiting_for: Waiting = "") -> Gauge:
    made = Gauge(scale, scale.clock)
    made.note(StateChanged(number=1, state=state))
    progress = Progress(waiting_for=waiting_for, seconds_left=5.0, voxels_per_s=7.0)
    made.note(Progressed(number=2, progress=progress))
    return made


@pytest.mark.parametrize(
    ("reading_s", "sending_s", "doing"),
    [(0.0, 0.0, "image"), (9.0, 1.0, "reading"), (1.0, 9.0, "link")],
)
def test_a_run_that_lacks_chunks_waits_for_disk_or_link(
    reading_s: float, sending_s: float, doing: Doing
) -> None:
    scale = Scale()
    scale.counts = Counts(reading_s=50.0, sending_s=60.0)
    read = gauge(scale, waiting_for="chunks")
    read.standing()
    scale.now_s = 10.0
    scale.counts = Counts(reading_s=50 + reading_s, sending_s=60 + sending_s)
    assert read.standing().doing == doing


@pytest.mark.parametrize(
    ("state", "waiting_for", "doing"),
    [
        ("queued", "queue", "queue"),
        ("running", "queue", "queue"),
        ("running", "engine", "engine"),
        ("running", "", "computing"),
        ("joining", "", "joining"),
        ("cancelled", "chunks", "cancelled"),
    ],
)
def test_what_the_backend_says_is_kept(state: RunState, waiting_for: Waiting, doing: Doing) -> None:
    standing = gauge(Scale(), state=state, waiting_for=waiting_for).standing()
    assert standing.doing == doing
    assert standing.words == WORDS[doing]
    assert standing.seconds_left == (5.0 if state == "running" else None)


def test_a_place_in_the_queue_is_told() -> None:
    read = gauge(Scale(), state="queued")
    read.note(Progressed(number=3, progress=Progress(waiting_for="queue", position=4, wait_s=90)))
    standing = read.standing()
    assert standing.words == "waiting in the queue (place 4)"
    assert (standing.position, standing.wait_s) == (4, 90)


def test_bytes_are_rated_over_the_last_moments() -> None:
    scale = Scale()
    read = gauge(scale)
    assert read.standing().bytes_up_per_s == 0
    for second in range(1, 60):
        scale.now_s = float(second)
        scale.counts = Counts(bytes_up=min(second, 30) * 100, bytes_down=second * 7)
        standing = read.standing()
        assert standing.bytes_down_per_s == pytest.approx(7)
        if second <= 30:
            assert standing.bytes_up_per_s == pytest.approx(100)
    assert 59 - SPAN_S > 30
    assert standing.bytes_up_per_s == 0
    assert standing.document()["bytes_up"] == 3000


def test_only_states_and_progress_tell_where_a_run_stands() -> None:
    read = gauge(Scale())
    assert not read.note(
        ChunkDone(number=3, output="o", key="c/0", region={}, final=True, digest="")
    )
    assert read.note(StateChanged(number=4, state="done"))


@pytest.mark.parametrize(("waiting_for", "lack"), [("chunks", "The disk is away."), ("", "")])
def test_what_cannot_be_sent_is_named_while_it_is_awaited(waiting_for: Waiting, lack: str) -> None:
    scale = Scale()
    scale.lack = "The disk is away."
    standing = gauge(scale, waiting_for=waiting_for).standing()
    assert standing.lack == lack
    assert standing.document()["lack"] == lack
