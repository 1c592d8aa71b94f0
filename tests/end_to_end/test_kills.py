"""One kill per role, in the middle of a run; `python -m benchmarks faults` does it at length."""

import random
import sqlite3
import time
from collections.abc import Iterator

import pytest

from hmz_backend.testing.faults.moments import Moment
from hmz_backend.testing.faults.remains import Remains
from hmz_backend.testing.faults.rig import BLOCKS, CHUNKS_TOTAL, Rig
from hmz_backend.testing.faults.tally import STITCHES, Stitch
from hmz_backend.testing.faults.trial import Role, kill_once, undisturbed
from napari_hmz.schema import Plan

MIDDLE = Moment(CHUNKS_TOTAL + BLOCKS // 2, pause_s=0.02)
LATE = Moment(CHUNKS_TOTAL + BLOCKS, pause_s=0.0)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(tmp_path_factory.mktemp("rig")) as rig:
        yield rig
    end_s = time.monotonic() + 10.0
    while rig.left() and time.monotonic() < end_s:
        time.sleep(0.1)  # workers end by themselves, and tell nobody when they have
    assert not rig.left(), "processes have outlived the backend"


@pytest.fixture(scope="module")
def expected(rig: Rig) -> dict[Stitch, Remains]:
    found = {stitch: undisturbed(rig, stitch) for stitch in STITCHES[:2]}
    assert found["labels"].differing_bytes(found["blend"])  # so that nothing is equal by chance
    return found


@pytest.mark.parametrize(
    ("role", "stitch", "moment"),
    [
        ("client", "labels", MIDDLE),
        ("client", "labels", LATE),
        ("worker", "blend", MIDDLE),
        ("backend", "labels", MIDDLE),
        ("power", "blend", MIDDLE),
    ],
)
def test_a_kill_changes_no_byte_and_repeats_only_what_was_in_the_air(
    *, rig: Rig, expected: dict[Stitch, Remains], role: Role, stitch: Stitch, moment: Moment
) -> None:
    chance = random.Random(f"{role} {moment}")  # noqa: S311 # repeatable, guards nothing
    outcome = kill_once(rig, role, stitch, chance, expected[stitch], moment=moment)
    assert outcome.is_clean, outcome
    assert outcome.struck
    if role != "power":  # which takes what was counted with the blocks that it takes
        assert counted_voxels(rig) == computed_voxels(rig) > 0


def counted_voxels(rig: Rig) -> int:
    """Return what the ledger says of all runs together."""
    with sqlite3.connect(rig.data / "backend.sqlite") as database:
        return int(database.execute("SELECT sum(voxels) FROM usage").fetchone()[0])


def computed_voxels(rig: Rig) -> int:
    """Return what all runs have had to compute: each of them is done."""
    with sqlite3.connect(rig.data / "backend.sqlite") as database:
        runs = database.execute("SELECT state, plan FROM runs").fetchall()
    assert {state for state, _ in runs} == {"done"}
    return sum(Plan.model_validate_json(plan).voxels for _, plan in runs)


@pytest.mark.triton
@pytest.mark.slow
def test_a_killed_triton_is_waited_for(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Rig(tmp_path_factory.mktemp("triton-rig"), "triton") as rig:
        expected = undisturbed(rig, "labels")
        chance = random.Random(0)  # noqa: S311 # as above
        outcome = kill_once(rig, "triton", "labels", chance, expected, moment=MIDDLE)
    assert outcome.is_clean, outcome
    assert outcome.struck
    assert not rig.left()
