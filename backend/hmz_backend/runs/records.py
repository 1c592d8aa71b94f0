"""Runs and volumes as rows, and back: every query of this layer."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    bindparam,
    delete,
    insert,
    select,
    tuple_,
    update,
)

from hmz_backend.access import share_records
from hmz_backend.access.rights import Right, right_of
from hmz_backend.database.tables import BlockRow, EventRow, RunRow, SpeedRow, VolumeRow
from hmz_backend.database.upsert import New, insert_or_change
from hmz_backend.identity.protocol import Principal
from hmz_backend.shares.turn import ANONYMOUS, Holder, holder_of
from napari_hmz.schema import (
    ENDED,
    EVENT,
    AccessRight,
    OutputResult,
    Plan,
    Problem,
    Progress,
    Progressed,
    Provenance,
    Run,
    RunRequest,
    VolumeRequest,
)

RESULTS = TypeAdapter(tuple[OutputResult, ...])
AnyRow = Row[Any]
KeptBlock = tuple[str, int, str, int, bool]
"""Output, block, digest, objects, final."""
WORDS: Mapping[Right, AccessRight] = {
    Right.OWN: "own",
    Right.CONTINUE: "continue",
    Right.READ: "read",
}
NAMED = 500  # ids in one query: SQLite takes no more than 999 values


def batched(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield as many ids at a time as one query may name."""
    for start in range(0, len(ids), NAMED):
        yield ids[start : start + NAMED]


def find_volume(
    connection: Connection, caller: Principal, volume: str
) -> tuple[AnyRow | None, Right]:
    """Return a volume, and what a caller may do with it; the same queries if there is none."""
    row = connection.execute(select(VolumeRow.__table__).where(VolumeRow.id == volume)).first()
    grants = share_records.volume_grants(connection, volume)
    return row, right_of(caller, row and (row.issuer, row.subject), grants)


def sensitive_volumes(connection: Connection) -> set[str]:
    """Return the volumes whose chunks are not to be kept after a run."""
    return set(connection.execute(select(VolumeRow.id).where(VolumeRow.is_sensitive)).scalars())


def volume_row(connection: Connection, volume: str) -> AnyRow:
    """Return the volume of a run, whose owner has been checked before."""
    return connection.execute(select(VolumeRow.__table__).where(VolumeRow.id == volume)).one()


def find_fingerprint(connection: Connection, owner: Principal, fingerprint: str) -> AnyRow | None:
    """Return the volume of this owner that has this fingerprint."""
    query = select(VolumeRow.__table__).where(
        VolumeRow.fingerprint == fingerprint,
        VolumeRow.issuer == owner.issuer,
        VolumeRow.subject == owner.subject,
    )
    return connection.execute(query).first()


def volume_holders(connection: Connection) -> list[tuple[str, Holder]]:
    """Return every volume with whose part of the staging area it takes."""
    query = select(VolumeRow.id, VolumeRow.issuer, VolumeRow.subject)
    rows = connection.execute(query)
    return [(volume, holder_of(issuer, subject)) for volume, issuer, subject in rows]


def add_volume(
    connection: Connection, owner: Principal, volume: str, request: VolumeRequest, at: str
) -> None:
    """Keep a new volume."""
    connection.execute(
        insert(VolumeRow).values(
            id=volume,
            issuer=owner.issuer,
            subject=owner.subject,
            fingerprint=request.fingerprint,
            request=request.model_dump_json(),
            is_sensitive=request.data_class == "sensitive",
            created_at=at,
        )
    )


def change_volume(connection: Connection, volume: str, request: VolumeRequest) -> None:
    """Keep what has been learnt of a volume since."""
    connection.execute(
        update(VolumeRow)
        .where(VolumeRow.id == volume)
        .values(request=request.model_dump_json(), is_sensitive=request.data_class == "sensitive")
    )


def add_run(connection: Connection, owner: Principal, run: Run, key: str | None) -> None:
    """Keep a new run."""
    connection.execute(
        insert(RunRow).values(
            id=run.id,
            issuer=owner.issuer,
            subject=owner.subject,
            groups=json.dumps(sorted(owner.groups)),
            idempotency_key=key,
            volume=run.request.volume,
            state=run.state,
            request=run.request.model_dump_json(),
            plan=run.plan.model_dump_json(),
            provenance=run.provenance.model_dump_json(),
            results="[]",
            created_at=run.created_at,
        )
    )


def find_run(connection: Connection, caller: Principal, run: str) -> tuple[AnyRow | None, Right]:
    """Return a run, and what a caller may do with it; the same queries if there is none."""
    row = connection.execute(select(RunRow.__table__).where(RunRow.id == run)).first()
    grants = share_records.run_grants(connection, run)
    return row, right_of(caller, row and (row.issuer, row.subject), grants)


def find_request(connection: Connection, owner: Principal, key: str) -> Run | None:
    """Return the run that a request with this idempotency key has made."""
    query = select(RunRow.__table__).where(
        RunRow.idempotency_key == key,
        RunRow.issuer == owner.issuer,
        RunRow.subject == owner.subject,
    )
    row = connection.execute(query).first()
    return None if row is None else to_run(row)


def list_runs(connection: Connection, caller: Principal, limit: int) -> list[Run]:
    """Return a caller's runs and those that are shared with them, newest first."""
    query = select(RunRow.__table__).order_by(RunRow.created_at.desc(), RunRow.id).limit(limit)
    shared = share_records.shared_with(connection, caller)
    own = query.where(RunRow.issuer == caller.issuer, RunRow.subject == caller.subject)
    rows = {row.id: (row, Right.OWN) for row in connection.execute(own)}
    for part in batched(sorted(shared)):
        for row in connection.execute(query.where(RunRow.id.in_(part))):
            rows.setdefault(row.id, (row, shared[row.id]))
    newest = sorted(rows.values(), key=lambda each: str(each[0].created_at), reverse=True)
    return [to_run(row, right) for row, right in newest[:limit]]


def open_runs(connection: Connection, unsettled: Sequence[str]) -> list[tuple[Principal, Run]]:
    """Return all runs that have not ended, and those of `unsettled` that are done, oldest first.

    Each with its owner, as they were when they started it.
    """
    rows = select(RunRow.__table__)
    found = list(connection.execute(rows.where(RunRow.state.not_in(ENDED))))
    for part in batched(unsettled):
        done = rows.where(RunRow.id.in_(part), RunRow.state == "done")
        found.extend(connection.execute(done))
    ordered = sorted(found, key=lambda row: str(row.created_at))
    return [(run_owner(row), to_run(row)) for row in ordered]


def run_owner(row: AnyRow) -> Principal:
    """Return who started a run, with the groups that they had then."""
    groups = frozenset(json.loads(row.groups))
    if row.issuer == ANONYMOUS:
        return Principal(row.issuer, row.subject, groups, roles=frozenset())
    return Principal(row.issuer, row.subject, groups)


def ended_runs(
    connection: Connection, before: str, states: Sequence[str] = ("cancelled", "failed")
) -> list[tuple[str, str, str]]:
    """Return (run, volume, ended_at) of the runs that ended before a time, the first one first.

    Parameters
    ----------
    before
        As `clock.now` writes it.
    states
        How they ended.
    """
    query = (
        select(RunRow.id, RunRow.volume, RunRow.ended_at)
        .where(RunRow.state.in_(states), RunRow.ended_at < before)
        .order_by(RunRow.ended_at)
    )
    return [(run, volume, str(at)) for run, volume, at in connection.execute(query)]


def change_run(connection: Connection, run: Run) -> None:
    """Keep how far a run is."""
    connection.execute(
        update(RunRow)
        .where(RunRow.id == run.id)
        .values(
            state=run.state,
            results=RESULTS.dump_json(run.results).decode(),
            provenance=run.provenance.model_dump_json(),
            error=run.error.model_dump_json() if run.error else None,
            started_at=run.started_at,
            ended_at=run.ended_at,
        )
    )


def remove_run(connection: Connection, run: str) -> None:
    """Forget a run, with all that is kept of its blocks and events."""
    for table in (BlockRow, EventRow):
        connection.execute(delete(table).where(table.run == run))
    share_records.remove_shares(connection, run)
    connection.execute(delete(RunRow).where(RunRow.id == run))


def to_run(row: AnyRow, right: Right = Right.OWN) -> Run:
    """Return a run as it was kept; its progress is known to its driver only."""
    plan = Plan.model_validate_json(row.plan)
    done = row.state == "done"
    return Run(
        id=row.id,
        state=row.state,
        request=RunRequest.model_validate_json(row.request),
        plan=plan,
        progress=Progress(
            blocks_total=plan.blocks,
            blocks_done=plan.blocks if done else 0,
            voxels_done=plan.voxels if done else 0,
            chunks_needed=plan.chunks_needed,
        ),
        results=RESULTS.validate_json(row.results),
        provenance=Provenance.model_validate_json(row.provenance),
        error=Problem.model_validate_json(row.error) if row.error else None,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        right=WORDS[right],
    )


def put_blocks(connection: Connection, rows: Sequence[Mapping[str, object]]) -> None:
    """Keep what became of blocks in outputs; the later word counts."""
    if rows:
        keys = ("run", "output", "block")
        connection.execute(insert_or_change(connection, BlockRow, _later, keys=keys), list(rows))


def _later(new: New) -> dict[str, ColumnElement[Any]]:
    return {name: new[name] for name in ("digest", "objects", "final")}


def drop_blocks(connection: Connection, run: str, blocks: Iterable[int]) -> None:
    """Forget blocks whose chunks are not what the journal says: they are computed again."""
    query = delete(BlockRow).where(BlockRow.run == run, BlockRow.block == bindparam("number"))
    rows = [{"number": block} for block in blocks]
    if rows:
        connection.execute(query, rows)


def block_rows(
    connection: Connection, run: str, after: tuple[str, int], limit: int
) -> list[KeptBlock]:
    """Return what is kept of the next blocks of a run, by output and number, after one of them."""
    query = (
        select(BlockRow.output, BlockRow.block, BlockRow.digest, BlockRow.objects, BlockRow.final)
        .where(BlockRow.run == run, tuple_(BlockRow.output, BlockRow.block) > after)
        .order_by(BlockRow.output, BlockRow.block)
        .limit(limit)
    )
    return [(o, b, d, n, f) for o, b, d, n, f in connection.execute(query)]


def add_speed(
    connection: Connection, model: str, version: str, voxels: int, seconds: float
) -> None:
    """Count what a run has taught of a model's speed."""
    row = {"model": model, "version": version, "voxels": voxels, "seconds": seconds}
    connection.execute(
        insert_or_change(connection, SpeedRow, _added, keys=("model", "version")), row
    )


def _added(new: New) -> dict[str, ColumnElement[Any]]:
    return {
        "voxels": SpeedRow.voxels + new["voxels"],
        "seconds": SpeedRow.seconds + new["seconds"],
    }


def seconds_per_voxel(connection: Connection, model: str, version: str) -> float | None:
    """Return how long one voxel has taken here; none before the first run."""
    query = select(SpeedRow.voxels, SpeedRow.seconds).where(
        SpeedRow.model == model, SpeedRow.version == version
    )
    row = connection.execute(query).first()
    return row.seconds / row.voxels if row and row.voxels else None


def all_seconds_per_voxel(connection: Connection) -> dict[tuple[str, str], float]:
    """Return how long one voxel has taken here, by id and version of the models that have run."""
    query = select(SpeedRow.model, SpeedRow.version, SpeedRow.voxels, SpeedRow.seconds)
    rows = connection.execute(query)
    return {(row.model, row.version): row.seconds / row.voxels for row in rows if row.voxels}


def last_progress(connection: Connection, runs: Sequence[str]) -> dict[str, Progress]:
    """Return what runs last told of their progress, of those that have told any."""
    found: dict[str, Progress] = {}
    for run in runs:
        query = (
            select(EventRow.body)
            .where(EventRow.run == run, EventRow.body.startswith('{"kind":"progress"'))
            .order_by(EventRow.number.desc())
            .limit(1)
        )
        body = connection.execute(query).scalar()
        event = None if body is None else EVENT.validate_json(body)
        if isinstance(event, Progressed):
            found[run] = event.progress
    return found
