"""One model over many images: what a broken one does to the others, what the same again does."""

import json
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from napari_hmz.batch import AT_ONCE, Job, images_in, jobs_of, run_batch
from napari_hmz.client import Client
from napari_hmz.errors import (
    BackendUnreachable,
    Conflict,
    HmzError,
    NonFiniteData,
    OutputExists,
    RunCancelled,
)
from napari_hmz.results import PROVENANCE_KEY
from napari_hmz.schema import ModelCard, Run
from napari_hmz.sources import Source, open_source
from napari_hmz.testing.fake_card import fake_card
from napari_hmz.testing.fake_run import fake_run

CARD = fake_card({"a": {"type": "number", "default": 1.5}}).model_copy(
    update={"digest": "sha256:1"}
)


class Begun:
    """A run that ends as the name of its image says, or not before it is closed."""

    def __init__(self, source: Source, end: HmzError | None, gate: threading.Event | None) -> None:
        self.source, self.end, self.gate = source, end, gate
        self.closed = threading.Event()

    def wait(self) -> Run:
        while self.gate is not None and not self.gate.is_set():
            if self.closed.wait(0.01):
                raise RunCancelled
        if self.end is not None:
            raise self.end
        return fake_run()

    def close(self) -> None:
        self.closed.set()


class Scripted:
    """A client whose runs fail for some images, and wait for a gate if there is one."""

    def __init__(
        self, failures: dict[str, HmzError] | None = None, gate: threading.Event | None = None
    ) -> None:
        self.failures, self.gate = failures or {}, gate
        self.begun: list[Begun] = []
        self.replaced: list[str] = []

    def model(self, model: str, version: str | None) -> ModelCard:
        return CARD

    def run(self, model: str, source: Source, **options: object) -> Begun:
        name = source.request.name
        self.begun.append(Begun(source, self.failures.get(name), self.gate))
        self.replaced += [name] if options["overwrite"] else []
        return self.begun[-1]


@pytest.fixture
def images(tmp_path: Path) -> tuple[Path, ...]:
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(12):
        np.save(folder / f"{number:02}.npy", np.full((4, 4), number, np.uint8))
    return images_in([folder])


def outcomes(client: Scripted, jobs: tuple[Job, ...], **options: Any) -> Generator[Any, None, None]:  # noqa: ANN401 # as the batch takes them
    return run_batch(cast("Client", client), "m", jobs, **options)


def test_results_are_named_after_their_images(tmp_path: Path) -> None:
    jobs = jobs_of([tmp_path / "a.ome.tif", tmp_path / "b.zarr"], tmp_path / "out")
    assert [job.output.name for job in jobs] == ["a.ome.zarr", "b.ome.zarr"]


def test_two_images_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="would both be written"):
        jobs_of([tmp_path / "1" / "a.tif", tmp_path / "2" / "A.zarr"], tmp_path / "out")


def test_results_do_not_come_to_lie_among_the_images(tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="taken for images"):
        jobs_of([tmp_path / "a.tif"], tmp_path)


def test_a_broken_image_stops_no_other(images: tuple[Path, ...], tmp_path: Path) -> None:
    images[3].write_bytes(b"broken")
    client = Scripted({"05.npy": NonFiniteData()})
    found = list(outcomes(client, jobs_of(images, tmp_path / "out")))
    assert {one.job.image.name: one.error.code for one in found if one.state == "failed"} == {
        "03.npy": "source-unreadable",
        "05.npy": "non-finite-data",
    }
    assert sum(one.state == "done" for one in found) == len(images) - 2
    assert all(one.closed.is_set() for one in client.begun)


def test_what_would_stop_every_image_ends_the_batch(
    images: tuple[Path, ...], tmp_path: Path
) -> None:
    client = Scripted({image.name: BackendUnreachable() for image in images})
    with pytest.raises(BackendUnreachable):
        list(outcomes(client, jobs_of(images, tmp_path / "out")))
    assert len(client.begun) <= AT_ONCE


def test_who_stops_early_leaves_the_runs_and_begins_no_other(
    images: tuple[Path, ...], tmp_path: Path
) -> None:
    gate = threading.Event()
    client = Scripted(gate=gate)
    images[0].write_bytes(b"broken")  # it ends at once, while the others wait
    found = outcomes(client, jobs_of(images, tmp_path / "out"))
    assert next(found).state == "failed"
    found.close()
    assert 0 < len(client.begun) <= AT_ONCE
    assert all(one.closed.is_set() for one in client.begun)
    assert not [one for one in threading.enumerate() if one.name.startswith("hmz-batch")]


def write_result(job: Job, *, is_whole: bool = True, **request: object) -> None:
    """Write what a run of this image has left, which was asked for otherwise as told."""
    source = open_source(job.image)
    run = fake_run()
    made = run.provenance.model_copy(update={"source_fingerprint": source.request.fingerprint})
    asked = run.request.model_copy(update={"version": "1", **request})
    own = {
        "complete": is_whole,
        "request": asked.model_dump(mode="json"),
        "provenance": made.model_dump(mode="json"),
    }
    job.output.mkdir(parents=True)
    (job.output / "zarr.json").write_text(json.dumps({"attributes": {PROVENANCE_KEY: own}}))
    source.close()


def test_a_result_that_is_there_is_kept(images: tuple[Path, ...], tmp_path: Path) -> None:
    client, jobs = Scripted(), jobs_of(images, tmp_path / "out")
    write_result(jobs[0])
    write_result(jobs[1], started_by="shell", parameters={"a": 1.5})  # the default, in words
    write_result(jobs[2], join_planes=True)
    found = {one.job: one.state for one in outcomes(client, jobs)}
    assert [found[job] for job in jobs[:4]] == ["kept", "kept", "done", "done"]
    assert "kept" not in {one.state for one in outcomes(client, jobs, parameters={"a": 2.0})}
    assert "kept" not in {one.state for one in outcomes(client, jobs, with_image=True)}


def test_the_result_of_another_image_is_not_taken_for_this_one(
    images: tuple[Path, ...], tmp_path: Path
) -> None:
    jobs = jobs_of(images, tmp_path / "out")
    write_result(jobs[0])
    np.save(jobs[0].image, np.zeros((5, 5), np.uint8))
    found = {one.job: one.state for one in outcomes(Scripted(), jobs)}
    assert found[jobs[0]] == "done"


def test_what_is_left_of_an_image_that_was_mended_since_is_replaced(
    images: tuple[Path, ...], tmp_path: Path
) -> None:
    client, jobs = Scripted(), jobs_of(images[:4], tmp_path / "out")
    for job, is_whole in zip(jobs, (False, False, True, False), strict=True):
        write_result(job, is_whole=is_whole)
    for job in jobs[1:]:
        np.save(job.image, np.zeros((5, 5), np.uint8))
    list(outcomes(client, jobs, parameters={"a": 1.5}))
    assert sorted(client.replaced) == ["01.npy", "03.npy"]
    client.replaced.clear()
    list(outcomes(client, jobs, parameters={"a": 2.0}))  # that is for somebody to decide
    assert not client.replaced


def test_what_else_lies_there_is_told_with_a_way_out(
    images: tuple[Path, ...], tmp_path: Path
) -> None:
    class Strict(Scripted):
        def run(self, model: str, source: Source, **options: object) -> Begun:
            raise OutputExists(f"{options['output']} exists already.")

    (found,) = outcomes(Strict(), jobs_of(images[:1], tmp_path / "out"))
    assert "these parameters" in found.error.detail
    assert "--to" in found.error.remedy
