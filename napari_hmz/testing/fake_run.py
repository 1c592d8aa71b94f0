"""A run that has ended, as a backend would tell of it."""

from napari_hmz.schema import (
    OutputArray,
    OutputResult,
    Plan,
    Provenance,
    Region,
    Run,
    RunRequest,
    VolumeStatistics,
)


def fake_run(
    *outputs: OutputArray,
    run_id: str = "r1",
    region: Region | None = None,
    channels: tuple[int, ...] = (),
    statistics: VolumeStatistics | None = None,
) -> Run:
    """Return a run with these outputs; `region` and `channels` are those of its plan."""
    taken = region or {}
    plan = Plan(
        model="m", version="1", region=taken, channels=channels, block={}, halo={}, tile={},
        grid={}, blocks=1, voxels=1, outputs=outputs, chunks_needed=1, bytes_up=1, bytes_down=1,
        memory_bytes=1,
    )  # fmt: skip # what matters stands first
    provenance = Provenance(
        model="m", version="1", model_digest="sha256:1", parameters={"a": 1.5}, region=taken,
        block={}, halo={}, statistics=statistics, source_name="n", source_fingerprint="f",
        backend_version="1", engine="e", run=run_id, created_at="now",
    )  # fmt: skip # what matters stands first
    return Run(
        id=run_id,
        state="done",
        request=RunRequest(model="m", volume="v"),
        plan=plan,
        results=tuple(OutputResult(name=output.name, objects=2) for output in outputs),
        provenance=provenance,
        created_at="now",
    )
