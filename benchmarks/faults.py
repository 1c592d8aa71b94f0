"""Bar 5: kills at random moments; outputs identical, only blocks in the air computed again.

Each role is killed in turn: the client, the backend, a worker of the embedded engine, Triton; and,
as a benchmark of its own, everything at once with the files that nobody had synced (a loss of
power). What is compared are the files of the run on both sides, byte by byte, with those of a run
that nothing happened to.
"""

import random
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.figure import Figure
from hmz_backend.testing.faults.rig import Rig
from hmz_backend.testing.faults.tally import STITCHES
from hmz_backend.testing.faults.trial import ROLES, Outcome, Role, kill_once, undisturbed

KILLS = 20
SEED = 0


def figures() -> Iterator[Figure]:
    """Yield what differs, what was done twice and what is left behind, per process killed."""
    for role in ROLES:
        if role != "power":
            yield from _of(role)


def power() -> Iterator[Figure]:
    """Yield the same of losses of power."""
    yield from _of("power")


def _of(role: Role) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as name:
        yield from _judged(role, list(_outcomes(role, Path(name))))


def _outcomes(role: Role, folder: Path) -> Iterator[Outcome]:
    with Rig(folder, "triton" if role == "triton" else "embedded") as rig:
        expected = {stitch: undisturbed(rig, stitch) for stitch in STITCHES}
        for number in range(KILLS):
            stitch = STITCHES[number % len(STITCHES)]
            chance = random.Random(f"{SEED} {role} {number}")  # noqa: S311 # repeatable, guards nothing
            outcome = kill_once(rig, role, stitch, chance, expected[stitch])
            if not outcome.is_clean:
                print(f"  kill {number} ({stitch}): {outcome}", flush=True)
            yield outcome


def _judged(role: Role, outcomes: Sequence[Outcome]) -> Iterator[Figure]:
    struck = sum(outcome.struck for outcome in outcomes)
    identical = sum(not outcome.differing_bytes for outcome in outcomes)
    again = sum(outcome.again for outcome in outcomes)
    air = sum(outcome.in_the_air for outcome in outcomes)
    kills = f"({struck} of {len(outcomes)} kills met a running run"
    differing = sum(outcome.differing_bytes for outcome in outcomes)
    excess = sum(outcome.excess for outcome in outcomes)
    left = sum(len(outcome.strays) + outcome.survivors for outcome in outcomes)
    yield Figure(
        f"{role} killed: differing bytes", differing, 0, "below", f"{kills}; {identical} identical)"
    )
    note = f"({again} computed again, {air} in the air)"
    yield Figure(f"{role} killed: blocks computed again without need", excess, 0, "below", note)
    yield Figure(f"{role} killed: files and processes left behind", left, 0, "below")
