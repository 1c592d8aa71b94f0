"""One worker process of the embedded engine: answers one request after the other on a pipe.

Runs `main` in a process of its own, which imports the network's runtime and contributed code; a
crash of either takes this process only.
"""

import json
import os
import signal
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from hmz_backend.serving import PackageBroken, ServedModel, ServingError
from hmz_backend.serving.errors import cause_of
from napari_hmz.priority import step_back

KEPT = 4
"""Models kept loaded in one worker; the one used longest ago goes first."""


@dataclass(frozen=True)
class Job:
    """What a worker is asked: to load a package, and to compute a tile if there are inputs.

    Parameters
    ----------
    folder
        Of the model package.
    inputs
        Input name -> array; none only loads.
    words
        Parameters, statistics and more as JSON (`engines.words`).
    """

    folder: Path
    inputs: "Mapping[str, NDArray[Any]] | None" = None
    words: str = "{}"


@dataclass(frozen=True)
class Done:
    """The outputs of a tile; none after loading only."""

    outputs: "Mapping[str, NDArray[Any]]"


@dataclass(frozen=True)
class Refused:
    """Why it was not done: the package is broken, or else the tile failed."""

    cause: str
    tensor: str = ""
    broken: bool = False


class Shelf:
    """The models that this worker has loaded, the latest first to stay."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._models: OrderedDict[tuple[Path, int], ServedModel] = OrderedDict()

    def model(self, folder: Path) -> ServedModel:
        """Return the model in `folder`, loaded again if its description has changed.

        Raises
        ------
        PackageBroken
            If it cannot be loaded.
        """
        description = folder / "rdf.yaml"
        changed = description.stat().st_mtime_ns if description.is_file() else 0
        key = (folder, changed)
        if key not in self._models:
            self._models[key] = ServedModel.load(folder, threads=self._threads)
            while len(self._models) > KEPT:
                self._models.popitem(last=False)
        self._models.move_to_end(key)
        return self._models[key]


def answer(shelf: Shelf, job: Job) -> Done | Refused:
    """Do one job; an expected failure becomes an answer."""
    try:
        model = shelf.model(job.folder)
        if job.inputs is None:
            return Done({})
        words = json.loads(job.words)
        more = (words[name] for name in ("parameters", "statistics", "origin", "used"))
        return Done(model.run_tile(job.inputs, *more))
    except PackageBroken as error:
        return Refused(error.cause, error.tensor, broken=True)
    except ServingError as error:
        return Refused(error.cause, error.tensor)
    except Exception as error:  # noqa: BLE001 # contributed code may raise anything; the worker lives on
        return Refused(cause_of(error))


def main(connection: Connection, threads: int) -> None:
    """Answer jobs until the pipe is closed."""
    step_back()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which closes the pipe
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    shelf = Shelf(threads)
    while True:
        try:
            job = connection.recv()
        except (EOFError, OSError):
            return
        connection.send(answer(shelf, job))
