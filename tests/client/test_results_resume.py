import errno
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaozarrs
from numpy.typing import NDArray

from napari_hmz.errors import DiskFull, NotFound, OutputExists, RegionInvalid, RunFailed
from napari_hmz.results import OutputWriter
from napari_hmz.results.levels import regions_of
from napari_hmz.schema import (
    OutputArray,
    Region,
    sizes_of,
)
from napari_hmz.sources import open_source
from napari_hmz.testing.fake_run import fake_run

SHAPE = (10, 300, 280)
REGION: Region = {"z": (2, 10), "y": (0, 300), "x": (20, 280)}
LABELS = np.zeros((8, 300, 260), np.uint32)
LABELS[1:5, 40:140, 30:200] = 1
LABELS[4:8, 150:290, 3:100] = 70_000


def labels(**changes: object) -> OutputArray:
    said: dict[str, object] = {
        "name": "cells",
        "kind": "instance-labels",
        "axes": ("z", "y", "x"),
        "shape": sizes_of(("z", "y", "x"), LABELS.shape),
        "chunks": {"z": 4, "y": 128, "x": 128},
        "dtype": "uint32",
        "voxel_size": {"z": 2.0, "y": 0.5, "x": 0.5},
        "units": {"z": "micrometer", "y": "micrometer", "x": "micrometer"},
        "translation": {"z": 14.0, "y": 0.0, "x": 10.0},
    }
    return OutputArray.model_validate(said | changes)


def fill(writer: OutputWriter, output: OutputArray, values: NDArray[Any]) -> None:
    for region in reversed(list(regions_of(output.shape, output.chunks))):
        index = tuple(slice(*region[axis]) for axis in output.axes)
        writer.write_chunk(output.name, region, values[index], digest="d")


def put(writer: OutputWriter, region: Region, values: NDArray[Any]) -> str:
    """Write a chunk as it comes from the backend, and return its digest."""
    writer.write_chunk("cells", region, values)
    chunks = labels().chunks
    key = "/".join(str(region[axis][0] // chunks[axis]) for axis in labels().axes)
    body = (writer.path / "labels/cells/0/c" / key).read_bytes()
    digest = hashlib.sha256(body).hexdigest()
    writer.put_chunk("cells", region, body, digest=digest)
    return digest


def image() -> NDArray[Any]:
    return np.random.default_rng(0).integers(0, 999, SHAPE).astype("u2")


def test_an_output_that_exists_is_not_lost(tmp_path: Path) -> None:
    writer = OutputWriter.prepare(tmp_path / "o.zarr", fake_run(labels(), region=REGION))
    fill(writer, labels(), LABELS)
    with pytest.raises(OutputExists):
        OutputWriter.prepare(tmp_path / "o.zarr", fake_run(labels(), run_id="r2", region=REGION))
    np.testing.assert_array_equal(writer.array("cells")[...], LABELS)
    again = OutputWriter.prepare(
        tmp_path / "o.zarr", fake_run(labels(), run_id="r2", region=REGION), overwrite=True
    )
    assert not np.any(np.asarray(again.array("cells")[...]))
    assert [entry.name for entry in tmp_path.iterdir()] == ["o.zarr"]


def test_what_is_no_zarr_is_never_removed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("more of it")
    for name in ("folder", "file"):
        with pytest.raises(OutputExists):
            OutputWriter.prepare(tmp_path / name, fake_run(labels(), region=REGION), overwrite=True)
    assert (tmp_path / "folder/thesis.txt").read_text() == "years of work"
    assert (tmp_path / "file").read_text() == "more of it"


def test_another_process_goes_on_where_the_first_was_stopped(tmp_path: Path) -> None:
    regions = list(regions_of(labels().shape, labels().chunks))
    first = OutputWriter.prepare(tmp_path / "o.zarr", fake_run(labels(), region=REGION))
    digests = [put(first, region, part(region) + 1) for region in regions[:3]]
    first.write_chunk("cells", regions[3], np.ones((4, 128, 128), "u4"))
    first.write_chunk("cells", regions[2], np.ones((4, 128, 4), "u4"))  # changed after all
    second = OutputWriter.prepare(tmp_path / "o.zarr", fake_run(labels(), region=REGION))
    held = [second.holds("cells", r, d) for r, d in zip(regions[:3], digests, strict=True)]
    assert held == [True, True, False]
    assert not any(second.holds("cells", region, digests[0]) for region in regions[3:])
    assert not second.holds("cells", regions[0], digests[1])
    assert not second.holds("cells", regions[0], "")
    fill(second, labels(), LABELS)
    second.finish(fake_run(labels(), region=REGION))
    np.testing.assert_array_equal(open_source(tmp_path / "o.zarr/labels/cells").read({}), LABELS)


def test_what_a_killed_process_was_about_to_write_is_swept_away(tmp_path: Path) -> None:
    OutputWriter.prepare(tmp_path / "o.zarr", fake_run(labels(), region=REGION))
    left = tmp_path / "o.zarr" / "labels" / "cells" / "0" / "c" / "0.29d3215c.partial"
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(b"half a ch")
    OutputWriter.prepare(tmp_path / "o.zarr", fake_run(labels(), region=REGION))
    assert not left.exists()


@pytest.mark.parametrize("torn", [b"", bytes(900), None], ids=["empty", "zeros", "gone"])
def test_a_chunk_torn_by_a_loss_of_power_is_not_believed(
    tmp_path: Path, torn: bytes | None
) -> None:
    regions = list(regions_of(labels().shape, labels().chunks))[:2]
    first = OutputWriter.prepare(tmp_path / "o.zarr", fake_run(labels(), region=REGION))
    digests = [put(first, region, part(region)) for region in regions]
    assert first.holds("cells", regions[1], digests[1])
    file = tmp_path / "o.zarr/labels/cells/0/c/0/0/1"
    file.unlink()
    if torn is not None:
        file.write_bytes(torn)
    second = OutputWriter.prepare(tmp_path / "o.zarr", fake_run(labels(), region=REGION))
    held = [second.holds("cells", r, d) for r, d in zip(regions, digests, strict=True)]
    assert held == [True, False]


def part(region: Region) -> NDArray[Any]:
    return LABELS[tuple(slice(*region[axis]) for axis in labels().axes)]


def test_a_line_of_the_journal_that_was_cut_is_not_believed(tmp_path: Path) -> None:
    writer = OutputWriter.prepare(tmp_path / "o.zarr", fake_run(labels(), region=REGION))
    region = next(regions_of(labels().shape, labels().chunks))
    digest = put(writer, region, part(region))
    journal = tmp_path / "o.zarr/labels/cells/0/.napari-hmz-final"
    journal.write_text(journal.read_text()[:-1])
    assert not OutputWriter.prepare(tmp_path / "o.zarr", fake_run(labels(), region=REGION)).holds(
        "cells", region, digest
    )


def test_a_line_of_another_grid_is_not_believed(tmp_path: Path) -> None:
    writer = OutputWriter.prepare(tmp_path / "o.zarr", fake_run(labels(), region=REGION))
    region = next(regions_of(labels().shape, labels().chunks))
    digest = put(writer, region, part(region))
    journal = tmp_path / "o.zarr/labels/cells/0/.napari-hmz-final"
    journal.write_text("".join(f"{digest} {name}\n" for name in ("0/0", "0/0/99", "0/-1/0", "x")))
    again = OutputWriter.prepare(tmp_path / "o.zarr", fake_run(labels(), region=REGION))
    held = [again.holds("cells", r, digest) for r in regions_of(labels().shape, labels().chunks)]
    assert not any(held)


def test_a_chunk_of_which_a_part_is_written_anew_is_final_no_more(tmp_path: Path) -> None:
    writer = OutputWriter.prepare(tmp_path / "o.zarr", fake_run(labels(), region=REGION))
    regions = list(regions_of(labels().shape, labels().chunks))[:2]
    digests = [put(writer, region, part(region)) for region in regions]
    corner = {axis: (start, start + 1) for axis, (start, _) in regions[1].items()}
    writer.write_chunk("cells", corner, np.full((1, 1, 1), 7, "u4"))
    for each in (writer, OutputWriter.prepare(writer.path, fake_run(labels(), region=REGION))):
        held = [each.holds("cells", r, d) for r, d in zip(regions, digests, strict=True)]
        assert held == [True, False]


def test_a_store_may_be_finished_twice_and_without_its_image(tmp_path: Path) -> None:
    source = open_source(image())
    made = fake_run(labels(), region=REGION)
    writer = OutputWriter.prepare(tmp_path / "o.zarr", made, image=source)
    fill(writer, labels(), LABELS)
    writer.finish(made)
    OutputWriter.prepare(tmp_path / "o.zarr", made).finish(made)
    yaozarrs.validate_zarr_store(str(tmp_path / "o.zarr"))
    np.testing.assert_array_equal(open_source(tmp_path / "o.zarr").read({}), image()[2:, :, 20:])


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".hidden", "0", "labels", "a b"])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    output = labels(name=name, kind="image")
    with pytest.raises(RunFailed):
        OutputWriter.prepare(tmp_path / "o.zarr", fake_run(output, region=REGION))


def test_what_does_not_belong_is_refused(tmp_path: Path) -> None:
    writer = OutputWriter.prepare(tmp_path / "o.zarr", fake_run(labels(), region=REGION))
    with pytest.raises(NotFound):
        writer.write_chunk("other", {}, LABELS)
    for region, values in (
        ({"z": (0, 9)}, LABELS),
        ({"z": (0, 2)}, LABELS),
        ({"t": (0, 1)}, LABELS),
        ({"x": (-1, 4)}, LABELS[:, :, :5]),
    ):
        with pytest.raises(RegionInvalid):
            writer.write_chunk("cells", region, values)  # type: ignore[arg-type] # mypy widens the literals


def test_a_full_disk_is_told_and_what_was_written_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = OutputWriter.prepare(tmp_path / "o.zarr", fake_run(labels(), region=REGION))
    first, second, *_ = regions_of(labels().shape, labels().chunks)
    digest = put(writer, first, part(first))

    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("zarr.storage._local._put", full)
    with pytest.raises(DiskFull):
        writer.write_chunk("cells", second, LABELS[:4, :128, 128:256], digest="b")
    monkeypatch.undo()
    again = OutputWriter.prepare(tmp_path / "o.zarr", fake_run(labels(), region=REGION))
    assert again.holds("cells", first, digest)
    assert not again.holds("cells", second, "b")
    np.testing.assert_array_equal(again.array("cells")[:4, :128, :128], LABELS[:4, :128, :128])


def test_a_full_disk_under_the_journal_is_told(tmp_path: Path) -> None:
    writer = OutputWriter.prepare(tmp_path / "o.zarr", fake_run(labels(), region=REGION))
    (tmp_path / "o.zarr/labels/cells/0/.napari-hmz-final").symlink_to("/dev/full")
    region = next(regions_of(labels().shape, labels().chunks))
    with pytest.raises(DiskFull):
        writer.write_chunk("cells", region, part(region), digest="a")
