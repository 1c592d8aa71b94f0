"""Whoever asks for the same again goes on with it; whoever asks for another one is told what is."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_hmz.errors import Conflict, HmzError, OutputExists
from napari_hmz.record import RunRecord
from napari_hmz.schema import Progress, Run, RunState
from napari_hmz.sources import open_source
from napari_hmz.testing.fake_run import fake_run
from napari_hmz.unfinished import check_same, images_of

RUN = fake_run()
ALL_SENT, HALF_SENT = Progress(chunks_needed=4, chunks_held=4), Progress(chunks_needed=4)
Spoil = Callable[[Path], object]


def test_the_same_from_elsewhere_is_the_same(tmp_path: Path) -> None:
    asked = RUN.request.model_copy(update={"started_by": "plugin"})
    check_same(tmp_path, RUN, asked, with_image=False)


def test_what_differs_is_named(tmp_path: Path) -> None:
    asked = RUN.request.model_copy(update={"volume": "another", "halo": {"y": 1}})
    with pytest.raises(OutputExists, match="the image, the halo differ"):
        check_same(tmp_path, RUN, asked, with_image=False)
    with pytest.raises(OutputExists, match="the copy of the image differs"):
        check_same(tmp_path, RUN, RUN.request, with_image=True)


def test_the_image_is_at_hand_even_if_all_of_it_was_sent(tmp_path: Path) -> None:
    """A part may be lost at the backend, which then wants it again."""
    record, run = remembered(tmp_path / "i.zarr")
    going = run.model_copy(update={"state": "running", "progress": ALL_SENT})
    found = images_of(record, going, resume=False, pieces_bytes=2**20)
    assert found.lack is None
    assert found.sources is not None
    assert found.sources.first.chunk("c/0/0") is not None


def changed(path: Path) -> None:
    zarr.open_array(path, mode="r+")[0, 0] = 9


def gone(path: Path) -> None:
    path.rename(path.with_suffix(".away"))


@pytest.mark.parametrize("spoil", [changed, gone])
def test_an_image_that_is_another_one_by_now_is_refused_or_named(
    tmp_path: Path, spoil: Spoil
) -> None:
    record, run = remembered(tmp_path / "i.zarr")
    spoil(tmp_path / "i.zarr")
    needs = run.model_copy(update={"state": "running", "progress": HALF_SENT})
    with pytest.raises(HmzError, match=r"i\.zarr"):
        images_of(record, needs, resume=False, pieces_bytes=2**20)
    found = images_of(
        record, needs.model_copy(update={"progress": ALL_SENT}), resume=False, pieces_bytes=2**20
    )
    assert found.sources is None
    assert "i.zarr" in str(found.lack)


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("state", ["running", "joining", "failed", "cancelled", "done"])
def test_who_knows_no_image_is_told_as_long_as_it_matters(state: RunState, *, resume: bool) -> None:
    run = RUN.model_copy(update={"state": state, "progress": HALF_SENT})
    if resume and state in {"failed", "cancelled"}:
        with pytest.raises(Conflict, match="does not know where the image 'n' of run r1 is"):
            images_of(None, run, resume=resume, pieces_bytes=2**20)
        return
    found = images_of(None, run, resume=resume, pieces_bytes=2**20)
    assert found.sources is None
    assert (found.lack is not None) == (state in {"running", "joining"})


def remembered(path: Path) -> tuple[RunRecord, Run]:
    """Return the record of a run on an image that is stored at `path`, and the run."""
    image = np.arange(64, dtype=np.uint8).reshape(8, 8)
    zarr.create_array(path, data=image, chunks=(4, 4), dimension_names=["y", "x"])
    source = open_source(path)
    made = {"source_fingerprint": source.request.fingerprint}
    run = RUN.model_copy(update={"provenance": RUN.provenance.model_copy(update=made)})
    return RunRecord.of(run, source.origin, None, with_image=False, url="u"), run
