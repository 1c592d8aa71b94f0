"""One model over many images: each result beside the others, whatever becomes of a single image.

```
with napari_hmz.connect() as client:
    jobs = jobs_of(images_in([Path("plates")]), Path("labels"))
    for outcome in run_batch(client, "nuclei-2d", jobs, parameters={"diameter": 25}):
        print(outcome.job.image, outcome.state)
```

The same again does what is left: results that are there are kept, unfinished runs are gone on with.
"""

import queue
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, Unpack

from napari_hmz import errors, schema
from napari_hmz.client import Client
from napari_hmz.errors import HmzError
from napari_hmz.run import Run
from napari_hmz.run_options import RunOptions
from napari_hmz.sources import Source, open_source
from napari_hmz.sources.in_folder import images_in, stem
from napari_hmz.sources.piece_cache import PIECES_BYTES
from napari_hmz.unfinished import left_at

__all__ = ["AT_ONCE", "Job", "Outcome", "images_in", "jobs_of", "run_batch"]

AT_ONCE = 4
"""Images under way at a time: while one is joined and written, the next ones are computed."""
_SLICE_S = 0.5  # so that Ctrl-C is heard while threads are waited for
_GRACE_S = 10.0
_FOR_ALL = (
    errors.UnavailableError,
    errors.DiskFull,
    errors.LocalBackendFailed,
    errors.NotSignedIn,
    errors.OutputUnwritable,
    errors.ParameterInvalid,
    errors.ScopeMissing,
    errors.SignInFailed,
    errors.Suspended,
)
"""What would keep every other image from being done, too."""

Opener = Callable[[Path], Source]


@dataclass(frozen=True, slots=True)
class Job:
    """An image, and where its result goes."""

    image: Path
    output: Path


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job.

    Parameters
    ----------
    state
        `kept`: its result was there, made by an earlier batch of the same image and model with
        the same parameters.
    run
        Of a job that is done now.
    error
        Of a job that has failed.
    """

    job: Job
    state: Literal["done", "kept", "failed"]
    run: schema.Run | None = None
    error: HmzError | None = None


def jobs_of(images: Sequence[Path], folder: Path) -> tuple[Job, ...]:
    """Return a job for each image; results are named after the images, and lie in `folder`.

    Raises
    ------
    Conflict
        If two images have the same name, or the results would lie among the images.
    """
    jobs: dict[str, Job] = {}
    for image in images:
        job = Job(image, folder / f"{stem(image)}.ome.zarr")
        other = jobs.setdefault(job.output.name.casefold(), job)
        if other is not job:
            raise errors.Conflict(
                f"{other.image} and {image} would both be written to {job.output}.",
                remedy="Do them one after the other, into two folders.",
            )
        if image.absolute().parent.resolve() == folder.absolute().resolve():
            raise errors.Conflict(
                f"{folder} is where the image {image.name} lies; next time, the results there"
                " would be taken for images.",
                remedy="Choose another folder for the results.",
            )
    return tuple(jobs.values())


def run_batch(
    client: Client,
    model: str,
    jobs: Sequence[Job],
    *,
    opener: Opener | None = None,
    with_image: bool = False,
    **options: Unpack[RunOptions],
) -> Generator[Outcome, None, None]:
    """Do all jobs, `AT_ONCE` of them at a time, and yield what became of each as it ends.

    Stopped early (`close`, Ctrl-C), it leaves runs to the backend; the same again takes them up.

    Parameters
    ----------
    client, model, with_image, options
        As for `Client.run`.
    opener
        Opens an image; None: as `open_source` does, in a data type that the model takes.

    Raises
    ------
    HmzError
        What would keep every other job from being done, too, such as a backend that is gone;
        after the outcome of the job that has met it.
    """
    card = client.model(model, options.get("version"))
    options["version"] = card.version
    share_bytes = PIECES_BYTES // AT_ONCE
    usual = partial(open_source, dtypes=card.inputs[0].dtypes, pieces_bytes=share_bytes)

    def begin(job: Job, source: Source) -> Run | None:
        left = left_at(job.output)
        is_asked = left is not None and left.is_asked(card, options, with_image=with_image)
        is_new = left is None or left.provenance.source_fingerprint != source.request.fingerprint
        if left is not None and left.is_whole and is_asked and not is_new:
            return None
        # What a run that failed has left of an image that was mended since is worth nothing.
        overwrite = left is not None and not left.is_whole and is_asked and is_new
        try:
            return client.run(
                card.id,
                source,
                output=job.output,
                overwrite=overwrite,
                with_image=with_image,
                **options,
            )
        except errors.OutputExists as error:
            raise _in_the_way(error) from error

    crew = _Crew(jobs, opener or usual, begin)
    try:
        for _ in jobs:
            outcome = crew.next()
            yield outcome
            if isinstance(outcome.error, _FOR_ALL):
                raise outcome.error
    finally:
        crew.stop()


def _in_the_way(error: errors.OutputExists) -> errors.OutputExists:
    return errors.OutputExists(
        f"{error.detail} It is not the result of this image with this model and these parameters.",
        remedy="Choose another folder for the results (--to), or remove it.",
    )


class _Crew:
    """The threads that do jobs; what became of them is taken by one other thread."""

    def __init__(
        self, jobs: Sequence[Job], opener: Opener, begin: Callable[[Job, Source], Run | None]
    ) -> None:
        self._opener, self._begin = opener, begin
        self._waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()
        self._stopping, self._lock = threading.Event(), threading.Lock()
        self._runs: set[Run] = set()
        for job in jobs:
            self._waiting.put(job)
        self._threads = [
            threading.Thread(target=self._work, name=f"hmz-batch-{n}", daemon=True)
            for n in range(min(AT_ONCE, len(jobs)))
        ]
        for thread in self._threads:
            thread.start()

    def next(self) -> Outcome:
        """Wait for the next job that ends; a bug in a thread is raised here."""
        while True:
            try:
                ended = self._ended.get(timeout=_SLICE_S)
            except queue.Empty:
                continue
            if isinstance(ended, BaseException):
                raise ended
            return ended

    def stop(self) -> None:
        """Begin no other job, leave the runs to the backend, and wait for the threads."""
        self._stopping.set()
        with self._lock:
            runs = list(self._runs)
        for run in runs:
            run.close()
        for thread in self._threads:
            thread.join(_GRACE_S)

    def _work(self) -> None:
        try:
            while not self._stopping.is_set():
                self._ended.put(self._outcome(self._waiting.get_nowait()))
        except queue.Empty:
            return
        except BaseException as error:  # noqa: BLE001 # it is raised again where it is seen
            self._ended.put(error)

    def _outcome(self, job: Job) -> Outcome:
        try:
            source = self._opener(job.image)
            try:
                run = self._begin(job, source)
                if run is None:
                    return Outcome(job, "kept")
                return Outcome(job, "done", run=self._seen_through(run))
            finally:
                source.close()
        except HmzError as error:
            if isinstance(error, _FOR_ALL):
                self._stopping.set()
            return Outcome(job, "failed", error=error)

    def _seen_through(self, run: Run) -> schema.Run:
        with self._lock:
            self._runs.add(run)
        try:
            if self._stopping.is_set():
                run.close()  # it began while the others were stopped
            return run.wait()
        finally:
            with self._lock:
                self._runs.discard(run)
            run.close()
