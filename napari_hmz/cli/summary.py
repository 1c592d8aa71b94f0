"""What a run did, in a few lines or as JSON."""

import json
from datetime import datetime
from pathlib import Path

import typer

from napari_hmz.counts import counts_of
from napari_hmz.quantities import count_text, size_text, time_text
from napari_hmz.schema import Run
from napari_hmz.transfer import Traffic


def tell(run: Run, traffic: Traffic, output: Path | None, *, as_json: bool) -> None:
    """Write to standard output what became of a run."""
    if as_json:
        typer.echo(document(run, traffic, output))
        return
    for line in lines(run, traffic, output):
        typer.echo(line)


def lines(run: Run, traffic: Traffic, output: Path | None) -> list[str]:
    """Return the summary for people."""
    seconds, voxels = seconds_of(run), run.plan.voxels
    rate = f", {count_text(voxels / seconds)} voxels/s" if seconds else ""
    counts = traffic.counts
    told = [
        f"model    {run.plan.model} {run.plan.version}",
        f"volume   {count_text(voxels)} voxels in {run.plan.blocks} blocks",
        f"sent     {size_text(counts.bytes_up)} in {counts.chunks_up} chunks",
        f"fetched  {size_text(counts.bytes_down)} in {counts.chunks_down} chunks",
        f"time     {time_text(seconds)}{rate}",
    ]
    told += [f"found    {text} ({name})" for name, text in counts_of(run)]
    if output is not None:
        told.append(f"output   {output}")
    return told


def document(run: Run, traffic: Traffic, output: Path | None, **more: object) -> str:
    """Return the summary for machines."""
    counts = traffic.counts
    return json.dumps(
        {
            "run": run.model_dump(mode="json"),
            "transfer": {name: getattr(counts, name) for name in counts.__slots__},
            "seconds": seconds_of(run),
            "output": None if output is None else str(output),
            **more,
        }
    )


def seconds_of(run: Run) -> float | None:
    """Return how long a run took at the backend, from its creation to its end."""
    if run.ended_at is None:
        return None
    began, ended = (datetime.fromisoformat(time) for time in (run.created_at, run.ended_at))
    return (ended - began).total_seconds() or None
