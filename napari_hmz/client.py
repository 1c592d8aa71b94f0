"""The client: models, plans and runs of one backend.

```
with napari_hmz.connect() as client:
    run = client.run("nuclei-3d", "cells.ome.zarr", output="cells-labels.ome.zarr")
    run.wait()
```

Threads: a client may be used from several threads at once.
"""

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, Unpack

from pydantic import SecretStr

from napari_hmz import errors, schema
from napari_hmz.auth import Ask, SignIns
from napari_hmz.calls import Calls
from napari_hmz.connection import reach
from napari_hmz.forecast import Forecast, check_disk, forecast
from napari_hmz.http import Http
from napari_hmz.link_rate import LinkRates
from napari_hmz.record import RunRecord, RunRecords
from napari_hmz.run import Run, RunOutput, cancel_quietly
from napari_hmz.run_options import RunOptions, announcement, run_request
from napari_hmz.run_output import OmeZarrOutput, refuse_existing, refuse_own_image
from napari_hmz.schema import ENDED, ModelCard, Plan, RunRequest, Starter, Volume, wire
from napari_hmz.schema.codecs import chunk_bytes, output_chunk_bytes
from napari_hmz.settings import ClientSettings, load_settings
from napari_hmz.sources import Source, open_source
from napari_hmz.statistics import volume_statistics
from napari_hmz.transfer import Traffic, Upload, Uploads, lanes
from napari_hmz.unfinished import (
    RESUMABLE,
    check_same,
    given_image,
    image_of,
    needs_image,
    unfinished_run,
    unknown_run,
)


def connect(
    url: str | None = None,
    token: str | SecretStr | None = None,
    *,
    start: bool = True,
    started_by: Starter = "api",
    sign_ins: SignIns | None = None,
    ask: Ask | None = None,
    **settings: Any,  # noqa: ANN401 # checked by pydantic
) -> "Client":
    """Connect to a backend.

    Parameters
    ----------
    url, token
        The backend's address and bearer token; None: what the settings say, and if they name no
        address, the backend of this machine, which is started unless `start` is False.
    started_by
        What lists of runs say of the runs that are started here; it changes nothing else.
    sign_ins
        Who is signed in where; None: what the keyring of this machine knows (`hmz login`).
    ask
        Called in a thread of the client when a token is not accepted any more and cannot be
        renewed: it brings the person to sign in again, and returns whether they have. None: what
        was asked fails with `NotSignedIn`.
    **settings
        Any other field of `ClientSettings`, for example `profile="desy"` or `engine="triton"`.

    Raises
    ------
    BackendUnreachable, BackendTooOld, ClientTooOld
        If there is no backend that this client could speak with.
    LocalBackendFailed, LocalBackendStopped
        If the backend of this machine does not start, or does not run and shall not be started.
    SettingsInvalid
        If a setting cannot be used.
    """
    found = load_settings(url=url, token=token, **settings)
    way = reach(found, start=start, sign_ins=sign_ins, ask=ask)
    client = Client(*way, settings=found, started_by=started_by)
    try:
        client.check()
    except BaseException:  # whatever it is: connections are closed first
        client.close()
        raise
    return client


class Client(Calls):
    """Speaks with one backend; made by `connect`.

    Parameters
    ----------
    http
        The way to the backend.
    local_engine
        The engine, if it is the backend of this machine.
    settings
        As they were read.
    started_by
        From where the runs of this client are started.
    """

    def __init__(
        self,
        http: Http,
        local_engine: str,
        *,
        settings: ClientSettings,
        started_by: Starter = "api",
    ) -> None:
        super().__init__(http)
        self._local_engine, self._settings = local_engine, settings
        self._started_by = started_by
        self._records = RunRecords(settings.state_dir / "runs")
        self._links = LinkRates(settings.state_dir / "links.json")
        self._link = local_engine or http.url  # the own backend's port changes
        self._lock = threading.Lock()
        self._uploads = Uploads(http, settings.reconnect_s)
        self._runs: list[Run] = []
        self._sources: list[Source] = []

    def plan(
        self,
        model: str,
        source: Any,  # noqa: ANN401 # as open_source
        *,
        output: str | Path | None = None,
        with_image: bool = False,
        **options: Unpack[RunOptions],
    ) -> Forecast:
        """Return what a run would do and take, without sending a voxel; arguments as for `run`.

        Raises
        ------
        HmzError
            Why it cannot be done, and what would help.
        """
        card = self.model(model, options.get("version"))
        opened = self._opened(source, card)
        volume = self._http.ask(wire.VOLUMES, announcement(opened, options), Volume)
        planned = self._http.ask(wire.PLANS, run_request(card, volume, options), Plan)
        return self._forecast(planned, opened, output, with_image=with_image)

    def run(
        self,
        model: str,
        source: Any,  # noqa: ANN401 # as open_source
        *,
        output: str | Path | None = None,
        overwrite: bool = False,
        with_image: bool = False,
        **options: Unpack[RunOptions],
    ) -> Run:
        """Start a run and return at once; threads of this process send the image.

        A run that left `output` unfinished (same image, model, options) is gone on with.

        Parameters
        ----------
        model, source
            A model's id, and anything that `napari_hmz.sources.open_source` opens.
        output, overwrite, with_image
            Where to write the results as OME-Zarr, None: nowhere; over what is there; image too.
        **options
            As `RunOptions`.

        Raises
        ------
        OutputExists, DiskFull
            Before anything is sent, if there is something at `output`, or too little space.
        HmzError
            Why it cannot be done, and what would help.
        """
        left = None if output is None or overwrite else unfinished_run(Path(output))
        if output is not None and left is None:
            refuse_existing(Path(output), overwrite=overwrite)
        card = self.model(model, options.get("version"))
        opened = self._opened(source, card)
        if output is not None:
            refuse_own_image(Path(output), opened.origin.address if opened.origin else None)
        volume = self._http.ask(wire.VOLUMES, announcement(opened, options), Volume)
        request = run_request(card, volume, options, self._started_by)
        if output is not None and left is not None:
            return self._go_on(left, request, opened, Path(output), with_image=with_image)
        planned = self._http.ask(wire.PLANS, request, Plan)  # before statistics read the image
        check_disk(self._forecast(planned, opened, output, with_image=with_image, sampled=False))
        self._add_statistics(card, volume, opened)
        key = {wire.IDEMPOTENCY_HEADER: self._records.key(output, request)}
        begun = self._http.ask(wire.RUNS, request, schema.Run, headers=key)
        self._remember(begun, opened, output, with_image=with_image)
        if begun.state in RESUMABLE:  # by a process that died before it could note it
            begun = self._http.ask(wire.resume(begun.id), None, schema.Run)
        if focus := options.get("focus"):
            self._http.post(wire.focus(begun.id), schema.Focus(region=dict(focus)))
        traffic = Traffic()
        upload = self._upload(begun, opened, traffic)  # first: tiles need not wait for our disk
        writer = None
        if output is not None:
            image = opened if with_image else None
            writer = OmeZarrOutput(Path(output), begun, image=image, card=card, overwrite=overwrite)
            self._records.told(output)
        return self._started(begun, upload, traffic, writer)

    def attach(
        self,
        run_id: str,
        output: str | Path | None = None,
        *,
        resume: bool = False,
        source: Any = None,  # noqa: ANN401 # as open_source
    ) -> Run:
        """Take up a run, started by this process or by another.

        If this machine started it, the image goes on being sent and the output being written.

        Parameters
        ----------
        run_id
            As `Run.id` or `hmz runs` tells it.
        output
            Where to write the results; None: where the run was started with, if anywhere.
        resume
            Let a run that was cancelled or has failed go on from what is finished of it.
        source
            The image, as `run` takes it, where only memory holds it or its place is not known;
            looked at only if parts of it are still to be sent.

        Raises
        ------
        NotFound
            If the backend knows no such run.
        Conflict
            If the run needs its image, and that has changed or is not known on this machine.
        """
        run, record = self.info(run_id), self._records.get(run_id)
        pieces_bytes = self._settings.memory.pieces_bytes
        opened: Source | None
        if source is not None and needs_image(run, resume=resume):
            volume = self._http.get(wire.volume(run.request.volume), Volume)
            opened = given_image(source, record, run, volume.request, pieces_bytes)
        else:
            opened = image_of(record, run, resume=resume, pieces_bytes=pieces_bytes)
        if opened is not None and opened is not source:
            with self._lock:
                self._sources.append(opened)
        place = output or (record.output if record else None)
        image = opened if record is not None and record.with_image else None
        return self._taken_up(run, opened, place, image, resume=resume)

    def record(self, run_id: str) -> RunRecord | None:
        """Return what this machine remembers of a run; none if it did not start it."""
        return self._records.get(run_id)

    def close(self) -> None:
        """End all transfers and connections; the runs go on at the backend."""
        with self._lock:
            runs, self._runs = self._runs, []
            sources, self._sources = self._sources, []
        uploads = self._uploads.stop()
        for run in runs:
            run.close()
        for upload in uploads:
            upload.join(1.0)
        for source in sources:
            source.close()
        for run in runs:
            self._links.put(self._link, run.transfer.link_bytes_per_s)
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client of {self.url}>"

    def _opened(self, source: Any, card: ModelCard) -> Source:  # noqa: ANN401 # as open_source
        opened = open_source(
            source, dtypes=card.inputs[0].dtypes, pieces_bytes=self._settings.memory.pieces_bytes
        )
        if opened is not source:
            with self._lock:
                self._sources.append(opened)
        return opened

    def _go_on(
        self, left: str, request: RunRequest, source: Source, output: Path, *, with_image: bool
    ) -> Run:
        """Go on with the run whose unfinished output lies at `output`, if it is the same one."""
        try:
            run = self.info(left)
        except errors.NotFound as error:
            raise unknown_run(output, left, self.url) from error
        check_same(output, run, request, with_image=with_image)
        self._remember(run, source, output, with_image=with_image)
        return self._taken_up(run, source, output, source if with_image else None, resume=True)

    def _taken_up(
        self,
        run: schema.Run,
        source: Source | None,
        place: str | Path | None,
        image: Source | None,
        *,
        resume: bool,
    ) -> Run:
        writer = None
        if place is not None:  # first: nothing is computed for an output that cannot be written
            card = self._card_of(run)
            writer = OmeZarrOutput(Path(place), run, image=image, card=card, overwrite=False)
            self._records.told(place)
        if resume and run.state in RESUMABLE:
            run = self._http.ask(wire.resume(run.id), None, schema.Run)
        traffic = Traffic()
        return self._started(run, self._upload(run, source, traffic), traffic, writer)

    def _forecast(
        self, planned: Plan, source: Source, output: str | Path | None, **how: bool
    ) -> Forecast:
        return forecast(
            planned,
            source,
            place=None if output is None else Path(output),
            memory_bytes=self._settings.memory_budget_bytes,
            link_bytes_per_s=self._links.get(self._link),
            **how,
        )

    def _add_statistics(self, card: ModelCard, volume: Volume, source: Source) -> None:
        if card.normalise.scope == "volume" and volume.request.statistics is None:
            statistics = volume_statistics(source.read, source.request)
            found = {"statistics": statistics, "mode": volume.request.mode}
            self._http.ask(wire.VOLUMES, source.request.model_copy(update=found), Volume)

    def _remember(
        self, run: schema.Run, source: Source, output: str | Path | None, *, with_image: bool
    ) -> None:
        way = {"local_engine": self._local_engine, "profile": self._settings.profile_used}
        record = RunRecord.of(
            run, source.origin, output, with_image=with_image, url=self.url
        ).model_copy(update=way)
        # A full disk of this machine must not stop a run that has begun elsewhere.
        with suppress(OSError):
            self._records.put(record)

    def _card_of(self, run: schema.Run) -> ModelCard | None:
        try:
            return self.model(run.plan.model, run.plan.version)
        except errors.NotFound:  # the model was withdrawn; its results are not
            return None

    def _started(
        self, run: schema.Run, upload: Upload | None, traffic: Traffic, writer: RunOutput | None
    ) -> Run:
        started = Run(
            self._http,
            run,
            upload=upload,
            output=writer,
            traffic=traffic,
            threads=self._lanes(max(map(output_chunk_bytes, run.plan.outputs), default=1)),
            patience_s=self._settings.reconnect_s,
        )
        with self._lock:
            self._runs.append(started)
        return started

    def _upload(self, run: schema.Run, source: Source | None, traffic: Traffic) -> Upload | None:
        """Return the upload of the run's volume, if it needs one; runs of one volume share it."""
        if source is None or run.state in ENDED:
            return None
        threads = self._lanes(chunk_bytes(source.request))
        failed = cancel_quietly(self._http, run.id)
        return self._uploads.serve(
            run.request.volume, source, traffic, threads=threads, failed=failed
        )

    def _lanes(self, size_bytes: int) -> int:
        """Return how many chunks of a decoded size travel at the same time in one direction."""
        most = min(self._settings.connections, self._settings.memory.chunks_at_once(size_bytes))
        return lanes(size_bytes, rtt_s=self._http.rtt_s, most=most)
