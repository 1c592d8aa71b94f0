import errno
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numcodecs.zstd import compress, decompress
from numpy.typing import NDArray

from hmz_backend.stores.arrival_log import ARRIVAL_FILE
from hmz_backend.stores.atomic import write_whole
from hmz_backend.stores.cache import ChunkCache
from hmz_backend.stores.grid import Index
from hmz_backend.stores.reader import StagedChunkBroken, VolumeReader
from hmz_backend.stores.staged import ABSENT, ABSENT_FILE, HELD, MISSING
from hmz_backend.stores.staging import StagingArea
from hmz_backend.testing.planned import an_image
from hmz_backend.testing.volumes import announcement, encoded_chunks
from napari_hmz.errors import DiskFull, NotFound, QuotaExceeded
from napari_hmz.schema import AxisName, Region, VolumeRequest

IMAGE = np.random.default_rng(1).integers(0, 999, (20, 30, 40)).astype("uint16")
CHUNKS = (8, 16, 16)
DOCUMENT = announcement(IMAGE, CHUNKS).array.document


def area(tmp_path: Path, quota: int = 10**9) -> StagingArea:
    staging = StagingArea(tmp_path, quota)
    staging.announce("v", announcement(IMAGE, CHUNKS))
    return staging


def test_what_is_held_is_found_again_by_looking(tmp_path: Path) -> None:
    staging, request = area(tmp_path), announcement(IMAGE, CHUNKS)
    staged = staging.scan("v", request)
    chunks = encoded_chunks(IMAGE, CHUNKS)
    staging.put(staged, "c/0/0/0", chunks["c/0/0/0"])
    staging.put(staged, "c/2/1/2", chunks["c/2/1/2"])
    staging.absent(staged, [(1, 1, 1), (0, 0, 0)])
    (tmp_path / "v" / "array" / "c" / "0" / "0" / ".1.abc.part").write_bytes(b"torn")
    again = StagingArea(tmp_path, 10**9)
    found = again.scan("v", request)
    assert found.marks[0, 0, 0] == HELD
    assert found.marks[1, 1, 1] == ABSENT
    assert found.marks[0, 1, 0] == MISSING
    assert np.count_nonzero(found.marks) == 3
    assert found.bytes_held == staged.bytes_held == again.bytes_held == staging.bytes_held
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize(
    "key", ["c/9/0/0", "c/0/0", "c/0/0/00", "../v", "c/0/0/-1", "zarr.json", "c.0.0.0", "c/0/0/²"]
)
def test_keys_that_are_no_chunks_do_not_exist(tmp_path: Path, key: str) -> None:
    staging = area(tmp_path)
    staged = staging.scan("v", announcement(IMAGE, CHUNKS))
    with pytest.raises(NotFound):
        staging.put(staged, key, b"x")


def test_the_quota_is_kept_and_nothing_is_stored_beyond_it(tmp_path: Path) -> None:
    staging = area(tmp_path, quota=100)
    staged = staging.scan("v", announcement(IMAGE, CHUNKS))
    staging.put(staged, "c/0/0/0", bytes(60))
    with pytest.raises(QuotaExceeded):
        staging.put(staged, "c/0/0/1", bytes(60))
    assert staging.bytes_held == 60
    staging.put(staged, "c/0/0/1", bytes(40))
    staging.drop(staged, [(0, 0, 1), (1, 0, 0)])
    assert staging.bytes_held == staged.bytes_held == 60
    assert staged.is_missing((0, 0, 1))
    staging.remove("v")
    assert staging.bytes_held == 0
    assert not list(tmp_path.iterdir())


def test_the_disk_keeps_its_reserve(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    staging = StagingArea(tmp_path, 10**9, disk_reserve_bytes=free + 2**40)
    staged = staging.scan("v", announcement(IMAGE, CHUNKS))
    with pytest.raises(DiskFull):
        staging.put(staged, "c/0/0/0", bytes(60))
    assert staged.is_missing((0, 0, 0))


def test_absent_chunks_survive_a_torn_file(tmp_path: Path) -> None:
    request = announcement(IMAGE, CHUNKS)
    staging = StagingArea(tmp_path, 10**9)
    staged = staging.scan("v", request)
    staging.absent(staged, [(0, 0, 1), (2, 1, 2), (0, 0, 1)])
    staging.absent(staged, [(0, 0, 1), (1, 0, 0)])
    path = tmp_path / "v" / ABSENT_FILE
    assert path.stat().st_size == 8 * 3
    path.write_bytes(path.read_bytes()[:-3] + b"\0" * 2)
    found = staging.scan("v", request)
    assert (found.held, found.absent) == (0, 2)
    assert found.marks[0, 0, 1] == found.marks[2, 1, 2] == ABSENT
    path.write_bytes(bytes(24))  # a page that was never written
    assert staging.scan("v", request).absent == 0
    staging.absent(found := staging.scan("v", request), [(2, 1, 1)])
    assert staging.scan("v", request).absent == found.absent == 1


def test_announcing_a_million_absent_chunks_costs_what_each_word_says(tmp_path: Path) -> None:
    request = an_image({"y": 10_000, "x": 10_000}, {"y": 10, "x": 10}, document=DOCUMENT)
    staging = StagingArea(tmp_path, 10**9)
    staged = staging.scan("v", request)
    path = tmp_path / "v" / ABSENT_FILE
    written = 0
    for row in range(0, 1000, 100):
        staging.absent(staged, [(row, column) for column in range(1000)])
        written += path.stat().st_size - written
    assert written == 8 * 10_000
    assert staged.bound_bytes == (10**6 - 10_000) * staged.chunk_bytes


def test_a_full_disk_is_an_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, body: bytes) -> int:
        path.touch()
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DiskFull):
        write_whole(tmp_path / "a" / "b", b"body")
    assert not list(tmp_path.rglob("*b*"))


def filled(tmp_path: Path, cache: ChunkCache) -> VolumeReader:
    staging = area(tmp_path)
    staged = staging.scan("v", announcement(IMAGE, CHUNKS))
    for key, body in encoded_chunks(IMAGE, CHUNKS).items():
        staging.put(staged, key, body)
    return VolumeReader("v", staged, cache)


@st.composite
def regions(draw: st.DrawFn) -> Region:
    ends = [sorted(draw(st.tuples(st.integers(0, n - 1), st.integers(1, n)))) for n in IMAGE.shape]
    axes: tuple[AxisName, ...] = ("z", "y", "x")
    return {a: (low, max(high, low + 1)) for a, (low, high) in zip(axes, ends, strict=True)}


@settings(max_examples=60)
@given(regions())
def test_any_region_reads_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, region: Region
) -> None:
    reader = filled(tmp_path_factory.mktemp("volume"), ChunkCache(20_000))
    where = tuple(slice(*region[axis]) for axis in ("z", "y", "x"))
    np.testing.assert_array_equal(reader.read(region), IMAGE[where])


def test_a_chunk_is_decoded_once_for_all_tiles_that_need_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = filled(tmp_path, ChunkCache(10**9))
    decoded: list[str] = []
    inner = VolumeReader._decode

    def counted(self: VolumeReader, index: Index, key: str) -> NDArray[Any]:
        decoded.append(key)
        return inner(self, index, key)

    monkeypatch.setattr(VolumeReader, "_decode", counted)
    whole: Region = {"z": (0, 20), "y": (0, 30), "x": (0, 40)}
    threads = [threading.Thread(target=reader.read, args=(whole,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(decoded) == sorted(encoded_chunks(IMAGE, CHUNKS))


def test_the_cache_keeps_to_its_bytes() -> None:
    cache = ChunkCache(1000)
    for number in range(50):
        cache.get(number, lambda: np.zeros(300, "uint8"))
    assert cache.held_bytes == 900
    cache.put("big", np.zeros(5000, "uint8"))
    assert cache.held_bytes == 0
    cache.put("a", np.zeros(600, "uint8"))
    cache.put("a", np.zeros(700, "uint8"))
    assert cache.held_bytes == 700
    cache.drop("a")
    assert cache.held_bytes == 0


def test_an_error_of_making_reaches_all_who_wait_and_is_not_kept() -> None:
    cache = ChunkCache(1000)

    def fail() -> NDArray[Any]:
        raise ValueError("once")

    with pytest.raises(ValueError, match="once"):
        cache.get("k", fail)
    assert cache.get("k", lambda: np.ones(3)).sum() == 3


def test_a_torn_chunk_is_told_by_its_key(tmp_path: Path) -> None:
    reader = filled(tmp_path, ChunkCache(0))
    (tmp_path / "v" / "array" / "c" / "0" / "1" / "1").write_bytes(compress(b"short", 1)[:-2])
    with pytest.raises(StagedChunkBroken) as caught:
        reader.read({"z": (0, 9), "y": (0, 30), "x": (0, 40)})
    assert caught.value.key == "c/0/1/1"


def blank_the_end(path: Path) -> None:
    """Leave the length, and pages that never reached the disk."""
    body = path.read_bytes()
    path.write_bytes(body[: len(body) // 2] + bytes(len(body) - len(body) // 2))


def raw_volume(tmp_path: Path) -> VolumeRequest:
    """Stage an image without a codec: any bytes of the right length can be decoded."""
    request = announcement(IMAGE, CHUNKS)
    document = {**request.array.document, "codecs": request.array.document["codecs"][:1]}
    array = request.array.model_copy(update={"document": document})
    request = request.model_copy(update={"array": array})
    staging = StagingArea(tmp_path, 10**9)
    staged = staging.scan("v", request)
    for key, body in encoded_chunks(IMAGE, CHUNKS).items():
        staging.put(staged, key, decompress(body))
    return request


def test_a_chunk_with_blank_pages_is_not_taken_for_an_image(tmp_path: Path) -> None:
    request = raw_volume(tmp_path)
    blank_the_end(tmp_path / "v/array/c/0/1/1")
    cache = ChunkCache(0)
    reader = VolumeReader("v", StagingArea(tmp_path, 10**9).scan("v", request), cache)
    corner: Region = {"z": (0, 8), "y": (0, 16), "x": (0, 40)}
    for _ in range(2):
        np.testing.assert_array_equal(reader.read(corner), IMAGE[:8, :16])
        with pytest.raises(StagedChunkBroken, match="c/0/1/1"):
            reader.read({"z": (0, 8), "y": (16, 30), "x": (0, 40)})


def test_a_chunk_counts_once_its_record_was_kept(tmp_path: Path) -> None:
    request = raw_volume(tmp_path)
    log = tmp_path / "v" / ARRIVAL_FILE
    body = log.read_bytes()
    assert len(body) == 16 * len(encoded_chunks(IMAGE, CHUNKS))
    log.write_bytes(body[:32] + bytes(16) + body[48:-5])  # a blank record, and one that is cut
    keys = list(encoded_chunks(IMAGE, CHUNKS))
    staging = StagingArea(tmp_path, 10**9)
    staged = staging.scan("v", request)
    missing = [key for key in keys if staged.is_missing(staged.grid.index(key))]
    assert missing == [keys[2], keys[-1]]
    assert not any(staged.path(key).exists() for key in missing)
    for key in missing:
        staging.put(staged, key, decompress(encoded_chunks(IMAGE, CHUNKS)[key]))
    again = StagingArea(tmp_path, 10**9).scan("v", request)
    assert again.held == len(keys)
    whole: Region = {"z": (0, 20), "y": (0, 30), "x": (0, 40)}
    np.testing.assert_array_equal(VolumeReader("v", again, ChunkCache(0)).read(whole), IMAGE)


def test_a_chunk_that_came_again_otherwise_encoded_is_what_it_is_now(tmp_path: Path) -> None:
    staging, request = area(tmp_path), announcement(IMAGE, CHUNKS)
    staged = staging.scan("v", request)
    first = encoded_chunks(IMAGE, CHUNKS)["c/0/0/0"]
    staging.put(staged, "c/0/0/0", first)
    staging.drop(staged, [(0, 0, 0)])
    second = bytes(compress(decompress(first), 19))
    assert second != first
    staging.put(staged, "c/0/0/0", second)
    again = StagingArea(tmp_path, 10**9).scan("v", request)
    np.testing.assert_array_equal(again.read((0, 0, 0)), IMAGE[:8, :16, :16])


def test_a_missing_chunk_is_never_read_as_fill_value(tmp_path: Path) -> None:
    staging = area(tmp_path)
    staged = staging.scan("v", announcement(IMAGE, CHUNKS))
    with pytest.raises(StagedChunkBroken):
        VolumeReader("v", staged, ChunkCache(0)).read({"z": (0, 8), "y": (0, 16), "x": (0, 16)})


def test_chunks_that_are_absent_read_as_fill_value(tmp_path: Path) -> None:
    staging = area(tmp_path)
    staged = staging.scan("v", announcement(IMAGE, CHUNKS))
    staging.absent(staged, [(0, 0, 0)])
    reader = VolumeReader("v", staged, ChunkCache(0))
    assert not reader.read({"z": (0, 8), "y": (0, 16), "x": (0, 16)}).any()
