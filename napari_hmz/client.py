"""The client: models, plans and runs of one backend.

```
with napari_hmz.connect() as client:
    run = client.run("nuclei-3d", "cells.ome.zarr", output="cells-labels.ome.zarr")
    run.wait()
```

Threads: a client may be used from several threads at once.
"""

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Self, Unpack

from pydantic import SecretStr

from napari_hmz import errors, schema
from napari_hmz.announcing import add_statistics, announce, ids_of
from napari_hmz.auth import Ask, SignIns
from napari_hmz.calls import Calls
from napari_hmz.connection import reach
from napari_hmz.forecast import Forecast, check_disk, forecast
from napari_hmz.held_outputs import HeldOutputs
from napari_hmz.http import Http
from napari_hmz.link_rate import LinkRates
from napari_hmz.record import RunRecord, RunRecords
from napari_hmz.run import Run, RunOutput, cancel_quietly
from napari_hmz.run_options import RunOptions, held_s, run_request
from napari_hmz.run_output import OutputWish
from napari_hmz.run_sources import RunSources, opened_for
from napari_hmz.schema import ENDED, InputSpec, ModelCard, Plan, RunRequest, Starter, wire
from napari_hmz.schema.codecs import chunk_bytes, output_chunk_bytes
from napari_hmz.settings import ClientSettings, load_settings
from napari_hmz.sources import Source, open_source
from napari_hmz.transfer import Traffic, Upload, Uploads, lanes
from napari_hmz.unfinished import (
    RESUMABLE,
    Images,
    check_same,
    images_of,
    unfinished_run,
    unknown_run,
    wanted_image,
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
        self._outputs = HeldOutputs()
        self._runs: list[Run] = []
        self._sources: list[Source] = []

    def plan(
        self,
        model: str,
        source: Any = None,  # noqa: ANN401 # as open_source
        *,
        inputs: Mapping[str, Any] | None = None,
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
        sources = opened_for(card, source, inputs, self._opened)
        volume, others = announce(self._http, sources, options)
        request = run_request(card, volume.id, options, inputs=ids_of(others))
        planned = self._http.ask(wire.PLANS, request, Plan)
        wish = OutputWish(None if output is None else Path(output), with_image=with_image)
        return self._forecast(planned, sources.first, wish)

    def run(
        self,
        model: str,
        source: Any = None,  # noqa: ANN401 # as open_source
        *,
        inputs: Mapping[str, Any] | None = None,
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
        inputs
            The same for each other input of the model, by its name; all on the same voxels.
        output, overwrite, with_image
            Where to write the results as OME-Zarr, None: nowhere; over what is there; image too.
        **options
            As `RunOptions`.

        Raises
        ------
        OutputExists, OutputInUse, OutputUnwritable, DiskFull
            Before anything is sent, if `output` cannot be written.
        HmzError
            Why it cannot be done, and what would help.
        """
        left = None if output is None or overwrite else unfinished_run(Path(output))
        with self._outputs.held(output, left) as place:
            wish = OutputWish(place, overwrite=overwrite, with_image=with_image)
            if left is None:
                wish.refuse_existing()
            card = self.model(model, options.get("version"))
            sources = opened_for(card, source, inputs, self._opened)
            wish.refuse_images([sources.first.origin, *sources.origins.values()])
            volume, others = announce(self._http, sources, options)
            request = run_request(card, volume.id, options, self._started_by, ids_of(others))
            if place is not None and left is not None:
                return self._go_on(left, request, sources, place, wish)
            planned = self._http.ask(wire.PLANS, request, Plan)  # before statistics read the image
            check_disk(self._forecast(planned, sources.first, wish, sampled=False))
            add_statistics(self._http, card, sources, (volume, others))
            return self._begun(request, sources, wish, card, options)

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
            Let a run that was cancelled or has failed go on from what is finished of it. Without
            this and without `output`, results that another process writes are left to it.
        source
            The image, as `run` takes it, where only memory holds it or its place is not known;
            looked at only if the run goes on.

        Raises
        ------
        NotFound
            If the backend knows no such run.
        Conflict
            If the run needs its image, and that has changed or is not known on this machine.
        OutputInUse, OutputUnwritable, DiskFull
            If the output cannot be written.
        """
        run, record = self.info(run_id), self._records.get(run_id)
        pieces_bytes = self._settings.memory.pieces_bytes
        first = wanted_image(self._http, source, record, run, pieces_bytes, resume=resume)
        images = images_of(record, run, first, resume=resume, pieces_bytes=pieces_bytes)
        if images.sources is not None:
            opened = images.sources.by_volume(run.request).values()
            with self._lock:
                self._sources += [each for each in opened if each is not source]
        spares = output is None and not resume
        output = output or (record.output if record else None)
        with self._outputs.held(output, run_id, spares=spares) as place:
            wish = OutputWish(place, with_image=record is not None and record.with_image)
            return self._taken_up(run, images, wish, resume=resume)

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

    def _opened(self, source: Any, spec: InputSpec) -> Source:  # noqa: ANN401 # as open_source
        opened = open_source(
            source, dtypes=spec.dtypes, pieces_bytes=self._settings.memory.pieces_bytes
        )
        if opened is not source:
            with self._lock:
                self._sources.append(opened)
        return opened

    def _begun(
        self,
        request: RunRequest,
        sources: RunSources,
        wish: OutputWish,
        card: ModelCard,
        options: RunOptions,
    ) -> Run:
        run = self.begin(request, self._records.key(wish.place, request))
        self._remember(run, sources, wish)
        if focus := options.get("focus"):
            self._http.post(wire.focus(run.id), schema.Focus(region=dict(focus)))
        traffic = Traffic()
        uploads = self._upload(run, sources, traffic, held_s(options))  # tiles need no disk
        output = self._outputs.open(wish, run, sources, card)
        return self._started(run, uploads, traffic, output)

    def _go_on(
        self, left: str, request: RunRequest, sources: RunSources, place: Path, wish: OutputWish
    ) -> Run:
        """Go on with the run whose unfinished output lies at `place`, if it is the same one."""
        try:
            run = self.info(left)
        except errors.NotFound as error:
            raise unknown_run(place, left, self.url) from error
        check_same(place, run, request, with_image=wish.with_image)
        self._remember(run, sources, wish)
        return self._taken_up(run, Images(sources), wish, resume=True)

    def _taken_up(self, run: schema.Run, images: Images, wish: OutputWish, *, resume: bool) -> Run:
        # first: nothing is computed for an output that cannot be written
        card = self.card_of(run) if wish.place is not None else None
        writer = self._outputs.open(wish, run, images.sources, card)
        if resume and run.state in RESUMABLE:
            run = self._http.ask(wire.resume(run.id), None, schema.Run)
        traffic = Traffic(images.lack)
        return self._started(run, self._upload(run, images.sources, traffic), traffic, writer)

    def _forecast(
        self, planned: Plan, source: Source, wish: OutputWish, *, sampled: bool = True
    ) -> Forecast:
        return forecast(
            planned,
            source,
            place=wish.place,
            with_image=wish.with_image,
            memory_bytes=self._settings.memory_budget_bytes,
            link_bytes_per_s=self._links.get(self._link),
            sampled=sampled,
        )

    def _remember(self, run: schema.Run, sources: RunSources, wish: OutputWish) -> None:
        record = RunRecord.of(
            run,
            sources.first.origin,
            wish.place,
            inputs=sources.origins,
            with_image=wish.with_image,
            url=self.url,
            local_engine=self._local_engine,
            profile=self._settings.profile_used,
        )
        # A full disk of this machine must not stop a run that has begun elsewhere.
        with suppress(OSError):
            self._records.put(record)

    def _started(
        self,
        run: schema.Run,
        uploads: Sequence[Upload],
        traffic: Traffic,
        writer: RunOutput | None,
    ) -> Run:
        started = Run(
            self._http,
            run,
            uploads=uploads,
            output=writer,
            traffic=traffic,
            threads=self._lanes(max(map(output_chunk_bytes, run.plan.outputs), default=1)),
            patience_s=self._settings.reconnect_s,
        )
        if writer is not None:
            self._records.told(writer.path)
        with self._lock:
            self._runs.append(started)
        return started

    def _upload(
        self, run: schema.Run, sources: RunSources | None, traffic: Traffic, holding_s: float = 0.0
    ) -> list[Upload]:
        """Return the uploads of the volumes that are needed; runs of one volume share one."""
        if sources is None or run.state in ENDED:
            return []
        failed = cancel_quietly(self._http, run.id)
        serve = partial(self._uploads.serve, failed=failed, held_s=holding_s)
        found = []
        for volume, source in sources.by_volume(run.request).items():
            threads = self._lanes(chunk_bytes(source.request))
            found.append(serve(volume, source, traffic, threads=threads))
        return found

    def _lanes(self, size_bytes: int) -> int:
        """Return how many chunks of a decoded size travel at the same time in one direction."""
        most = min(self._settings.connections, self._settings.memory.chunks_at_once(size_bytes))
        return lanes(size_bytes, rtt_s=self._http.rtt_s, most=most)
