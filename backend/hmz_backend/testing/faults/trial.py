"""One kill: a run is begun, a process is killed, what must be started again is; then it is judged.

Blocks in the air, at the moment of the kill: begun, and not yet in the journal. Of a client there
are none; a worker has one. A loss of power may take written blocks as well, by their files; they
count as in the air as long as nobody has synced them.
"""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Collection
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hmz_backend.runs.folder import REMOVED
from hmz_backend.testing.faults.moments import Moment
from hmz_backend.testing.faults.power import drop_unsynced, lost_blocks
from hmz_backend.testing.faults.processes import is_alive
from hmz_backend.testing.faults.remains import Remains
from hmz_backend.testing.faults.rig import BLOCKS, CHUNKS_TOTAL, TILES_IN_FLIGHT, Rig
from hmz_backend.testing.faults.tally import Stitch, Tally
from napari_hmz.unfinished import unfinished_run

Role = Literal["client", "backend", "worker", "triton", "power"]
ROLES: tuple[Role, ...] = ("client", "backend", "worker", "triton", "power")
END_S = 180.0
MOST_IN_THE_AIR = 2 * TILES_IN_FLIGHT
"""What a driver hands out before the journal has earlier blocks: the product's stated number."""
LOOK_S = 0.02
TIDY_S = 5.0
SAME_COMMAND = 0.5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run that was disturbed.

    Parameters
    ----------
    role
        What was killed.
    struck
        Whether the run was still going.
    again
        Blocks that were computed more than once.
    in_the_air
        How many may have been.
    differing_bytes
        Between the files of both sides and those of an undisturbed run.
    strays
        Files that an undisturbed run does not leave.
    survivors
        Processes that should have ended with what was killed.
    """

    role: Role
    struck: bool
    again: int
    in_the_air: int
    differing_bytes: int
    strays: tuple[str, ...]
    survivors: int

    @property
    def excess(self) -> int:
        """How many blocks were computed again without need."""
        return max(0, self.again - self.in_the_air)

    @property
    def is_clean(self) -> bool:
        """Whether nothing differs, nothing was done twice without need, and nothing is left."""
        return not (self.differing_bytes or self.excess or self.strays or self.survivors)


def undisturbed(rig: Rig, stitch: Stitch) -> Remains:
    """Do a run that nothing happens to, and return what it leaves."""
    output = rig.folder / f"undisturbed-{stitch}.ome.zarr"
    _await_end(rig, rig.run(stitch, rig.image(), output))
    return _remains(rig, output)


def kill_once(
    rig: Rig,
    role: Role,
    stitch: Stitch,
    chance: random.Random,
    expected: Remains,
    *,
    moment: Moment | None = None,
) -> Outcome:
    """Disturb one run, let it be gone on with, and compare what it leaves with `expected`.

    Parameters
    ----------
    chance
        Decides when, unless `moment` is given, and everything else that is left to chance.
    """
    trial = Trial(rig, role, stitch, chance)
    steps = CHUNKS_TOTAL + BLOCKS
    struck = trial.strike(moment or Moment.draw(chance, steps=steps, tile_s=rig.tile_s))
    trial.go_on()
    remains = _remains(rig, trial.output)
    return Outcome(
        role=role,
        struck=struck,
        again=trial.tally.begun() - BLOCKS,
        in_the_air=trial.in_the_air,
        differing_bytes=remains.differing_bytes(expected),
        strays=(*remains.strays(expected), *trial.leftovers()),
        survivors=trial.survivors(),
    )


class Trial:
    """One run that is disturbed.

    Parameters
    ----------
    rig, role, stitch
        Where, what is killed, and which model runs.
    chance
        Decides when.
    """

    def __init__(self, rig: Rig, role: Role, stitch: Stitch, chance: random.Random) -> None:
        self.rig, self.role, self.stitch, self.chance = rig, role, stitch, chance
        self.image = rig.image()
        self.output = rig.folder / f"{self.image.stem}-{stitch}.ome.zarr"
        self.tally: Tally = rig.tally.from_now()
        self.in_the_air = 0
        self._earlier = {path.name for path in (rig.data / "runs").glob("*")}
        self._held = rig.chunks_held()
        self._victims: list[int] = []
        self._client = rig.run(stitch, self.image, self.output)

    def strike(self, moment: Moment) -> bool:
        """Kill at a moment; False if the run was over by then."""
        if not moment.await_it(self._steps, lambda: self._client.poll() is not None):
            return False
        _STRIKES[self.role](self)
        return True

    def go_on(self) -> None:
        """Start what is missing, as a user would, and wait until the output is written.

        By the same command, or by `hmz attach`: as one likes, if the run is known already, and has
        left something to do (a client may be killed between its last word and its end).
        """
        if self._client.poll():
            run_id = self.rig.run_of(self.output)
            again = self.chance.random() < SAME_COMMAND
            if run_id is None or (again and unfinished_run(self.output) is not None):
                self._client = self.rig.run(self.stitch, self.image, self.output)
            else:
                self._client = self.rig.attach(run_id)
        _await_end(self.rig, self._client)

    def leftovers(self) -> list[str]:
        """Return files beside the output, and of staging, that nobody needs."""
        name = self.output.name
        beside = [p.name for p in self.rig.folder.glob(f"*{name}*") if p.name != name]
        beside += [p.name for p in self.rig.folder.glob(f".*{name}*")]
        beside += [p.name for p in (self.rig.state / "runs").glob("*") if p.suffix != ".json"]
        return beside + [p.name for p in (self.rig.data / "volumes").rglob(".*")]

    def survivors(self) -> int:
        """Return how many processes have outlived what they belong to."""
        end_s = time.monotonic() + 10.0
        while any(map(is_alive, self._victims)) and time.monotonic() < end_s:
            time.sleep(LOOK_S)  # processes of others tell nobody that they have ended
        return sum(map(is_alive, self._victims))

    def kill_client(self) -> None:
        """Kill the client."""
        self._client.kill()
        self._client.wait()

    def kill_backend(self) -> None:
        """Kill the backend; its workers should end by themselves."""
        self._victims += self.rig.workers()
        self.rig.backend.kill()
        self.survivors()
        self._count_air()
        self.rig.backend.start()

    def kill_worker(self) -> None:
        """Kill one worker of the embedded engine."""
        workers = self.rig.workers()
        if workers:
            with suppress(ProcessLookupError):  # it was being replaced
                os.kill(self.chance.choice(workers), signal.SIGKILL)
            self.in_the_air = 1

    def kill_triton(self) -> None:
        """Kill Triton with its model processes."""
        self.rig.kill_triton()
        self._count_air()
        self.rig.restart_triton()

    def cut_power(self) -> None:
        """Kill everything, and take what was not synced."""
        workers = self.rig.workers()
        process = self.rig.backend.process
        assert process is not None
        for pid in (process.pid, *workers, self._client.pid):
            with suppress(ProcessLookupError):  # a worker ends with its backend
                os.kill(pid, signal.SIGKILL)
        self.rig.backend.kill()
        self._client.wait()
        hurt = drop_unsynced(self.rig.data, self.rig.syncs, self.chance)
        lost = lost_blocks([p for p in hurt if self._is_ours(p)], blended=self.stitch == "blend")
        self._count_air(lost)
        self.rig.backend.start()

    def _steps(self) -> int:
        return self.rig.chunks_held() - self._held + self.tally.begun()

    def _is_ours(self, path: Path) -> bool:
        runs = self.rig.data / "runs"
        return path.is_relative_to(runs) and path.relative_to(runs).parts[0] not in self._earlier

    def _count_air(self, lost: Collection[int] | None = None) -> None:
        """Count the blocks in the air; with `lost`, those that the power has taken as well."""
        finished = _journalled(self.rig.data / "backend.sqlite", self._earlier)
        if lost is None:
            self.in_the_air = min(self.tally.tiles() - len(finished), MOST_IN_THE_AIR)
        else:
            kept = [block for _, block in finished if block not in lost]
            self.in_the_air = self.tally.tiles() - len(kept)


_STRIKES = {
    "client": Trial.kill_client,
    "backend": Trial.kill_backend,
    "worker": Trial.kill_worker,
    "triton": Trial.kill_triton,
    "power": Trial.cut_power,
}


def _remains(rig: Rig, output: Path) -> Remains:
    run_id = rig.run_of(output)
    assert run_id is not None, f"nobody remembers the run of {output}"
    folder = rig.data / "runs" / run_id
    end_s = time.monotonic() + TIDY_S
    going = (folder / "work", folder / REMOVED)
    while any(path.exists() for path in going) and time.monotonic() < end_s:
        time.sleep(LOOK_S)  # the backend tidies up behind the run's last word
    return Remains.of(output, folder)


def _await_end(rig: Rig, client: "subprocess.Popen[bytes]") -> None:
    try:
        code = client.wait(END_S)
    except subprocess.TimeoutExpired:
        client.kill()
        code = client.wait()
    if code:
        said = "".join((rig.folder / name).read_text()[-3000:] for name in ("client.log",))
        told = (rig.backend.folder / "log").read_text()[-3000:]
        raise AssertionError(f"the client ended with {code}\n{said}\n{told}")


def _journalled(database: Path, earlier: set[str]) -> set[tuple[str, int]]:
    """Return the blocks in the journal; from a copy, since looking would change the files."""
    with tempfile.TemporaryDirectory() as folder:
        for path in database.parent.glob(f"{database.name}*"):
            shutil.copy(path, folder)
        copy = Path(folder, database.name)
        with closing(sqlite3.connect(copy)) as connection:
            rows = connection.execute("SELECT run, block FROM blocks").fetchall()
    return {(run, block) for run, block in rows if run not in earlier}
