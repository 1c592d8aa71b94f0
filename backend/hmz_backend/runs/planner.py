"""From a request to a plan: everything looked up and checked, nothing begun."""

from collections.abc import Mapping
from dataclasses import dataclass

from hmz_backend.database.access import Database
from hmz_backend.identity.protocol import Principal
from hmz_backend.planning import make_plan
from hmz_backend.planning.checks import check_slots, checked_parameters
from hmz_backend.planning.inputs import check_grid, input_plan, other_inputs
from hmz_backend.runs import records
from hmz_backend.runs.brief import Brief, OtherInput
from hmz_backend.runs.catalogue import Catalogue
from hmz_backend.runs.feed import count_chunks
from hmz_backend.runs.volumes import Volumes
from napari_hmz.errors import DiskFull, NotFound, RequestError, RunFailed
from napari_hmz.quantities import size_text
from napari_hmz.schema import ModelCard, Plan, Run, RunRequest, SourceUsed, VolumeRequest

STREAMED = "The image passes through the backend as a stream: another run has to send it again."


@dataclass(frozen=True, slots=True)
class Planner:
    """Makes plans.

    Parameters
    ----------
    catalogue, volumes, database
        Where models, volumes and measured speeds are found.
    memory_budget_bytes
        What all tiles that are computed at once may take.
    tiles_in_flight
        How many that are.
    """

    catalogue: Catalogue
    volumes: Volumes
    database: Database
    memory_budget_bytes: int
    tiles_in_flight: int

    async def plan(self, owner: Principal, request: RunRequest) -> Plan:
        """Return what a run would do, counting only the chunks that are not there yet.

        Raises
        ------
        RequestError
            One of its leaves, if the run cannot be done as asked.
        """
        return (await self.brief("", owner, request)).plan

    async def brief(self, run: str, owner: Principal, request: RunRequest) -> Brief:
        """Return everything that is fixed for a run; raises as `plan` does."""
        source = await self.volumes.request(owner, request.volume)
        asked = self.catalogue.card_now if run else self.catalogue.card
        card = await asked(owner, request.model, request.version)
        self.catalogue.rules.check_data(card, source.data_class)
        others = {
            spec.name: await self._other(owner, card, request.inputs[spec.name])
            for spec in other_inputs(card, request)
        }
        plan = make_plan(
            card,
            source,
            request,
            memory_budget_bytes=self.memory_budget_bytes,
            tiles_in_flight=self.tiles_in_flight,
            seconds_per_voxel=await self._pace(card),
            others=[other.source for other in others.values()],
        )
        for spec in other_inputs(card, request):
            check_grid(source, plan, spec, others[spec.name].source)
        if run:  # a dry run is answered before anybody has measured the image
            for each in (source, *(other.source for other in others.values())):
                _check_statistics(card, each)
        return Brief(
            run=run,
            volume=request.volume,
            plan=await self._with_held(card, plan, request.volume, source, others),
            card=card,
            source=source,
            parameters=checked_parameters(card, request.parameters),
            statistics=source.statistics,
            others=others,
            join_planes=request.join_planes,
        )

    async def brief_again(self, run: Run) -> Brief:
        """Return the brief of a run whose file is lost, from what the database has of the run.

        Raises
        ------
        RunFailed
            If the model is not there any more, or is another one by now.
        """
        plan, known = run.plan, run.provenance
        try:
            card = await self.catalogue.fixed_card(plan.model, plan.version)
        except NotFound:
            card = None
        if card is None or card.digest != known.model_digest:
            now = "is not here any more" if card is None else "has been changed"
            raise RunFailed(
                f"The run's files are gone, and its model {plan.model} {plan.version} {now}.",
                remedy="Start a new run; what is held of the image is not sent again.",
            )
        row = await self.database.read(lambda c: records.volume_row(c, run.request.volume))
        return Brief(
            run=run.id,
            volume=run.request.volume,
            plan=plan,
            card=card,
            source=VolumeRequest.model_validate_json(row.request),
            parameters=known.parameters,
            statistics=known.statistics,
            others={
                name: await self._known_other(volume, known.inputs.get(name))
                for name, volume in run.request.inputs.items()
            },
            join_planes=run.request.join_planes,
        )

    async def _pace(self, card: ModelCard) -> float | None:
        """Return the seconds per voxel that the model has taken here, if it ran before."""
        return await self.database.read(
            lambda c: records.seconds_per_voxel(c, card.id, card.version)
        )

    async def _other(self, owner: Principal, card: ModelCard, volume: str) -> OtherInput:
        source = await self.volumes.request(owner, volume)
        self.catalogue.rules.check_data(card, source.data_class)
        return OtherInput(volume=volume, source=source, statistics=source.statistics)

    async def _known_other(self, volume: str, used: SourceUsed | None) -> OtherInput:
        row = await self.database.read(lambda c: records.volume_row(c, volume))
        source = VolumeRequest.model_validate_json(row.request)
        statistics = source.statistics if used is None else used.statistics
        return OtherInput(volume=volume, source=source, statistics=statistics)

    async def _with_held(
        self,
        card: ModelCard,
        plan: Plan,
        volume: str,
        source: VolumeRequest,
        others: Mapping[str, OtherInput],
    ) -> Plan:
        """Return the plan, counting only the chunks that are not there yet, of all inputs."""
        specs = {spec.name: spec for spec in card.inputs}
        read = [(plan, volume, source)]
        for name, other in others.items():
            own = input_plan(plan, specs[name], other.source)
            read.append((own, other.volume, other.source))
        chunks = size = 0
        warnings: dict[str, None] = dict.fromkeys(plan.warnings)
        for own, each, announced in read:
            staged = await self.volumes.open_trusted(each, announced)
            needed, held = count_chunks(own, staged)
            chunks, size = chunks + needed - held, size + (needed - held) * staged.decoder.size
            warnings |= dict.fromkeys(self._room_warnings(own, each, announced))
        changed = {"chunks_needed": chunks, "bytes_up": size, "warnings": tuple(warnings)}
        return plan.model_copy(update=changed)

    def _room_warnings(self, plan: Plan, volume: str, source: VolumeRequest) -> tuple[str, ...]:
        """Return what the user should know of the room for image and results; or refuse."""
        found, slots = [], self.volumes.slots(volume)
        if slots is not None:
            check_slots(plan, source, slots)
            found.append(STREAMED)
        room_bytes = self.volumes.shelf.staging.disk_room_bytes()
        if room_bytes <= 0:
            raise DiskFull("The backend's disk has no room for results.")
        if plan.bytes_down > room_bytes:
            found.append(
                f"The results take up to {size_text(plan.bytes_down)} before compression; "
                f"the backend's disk has {size_text(room_bytes)} left."
            )
        return tuple(found)


def _check_statistics(card: ModelCard, source: VolumeRequest) -> None:
    if card.normalise.scope == "volume" and source.statistics is None:
        raise RequestError(
            "The model scales intensities by the whole image, and no statistics came with it.",
            remedy="Announce the image again with its statistics, then start the run.",
        )
