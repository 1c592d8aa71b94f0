"""What every source must do: inherit `SourceContract`, give the two fixtures, run pytest."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import MemoryStore

from napari_hmz.errors import RegionInvalid, SourceUnreadable
from napari_hmz.schema import AxisName, Interval, VolumeRequest
from napari_hmz.schema.codecs import announcement_fault
from napari_hmz.sources import Source, reopen
from napari_hmz.sources.keys import grid_of, key_of

_METADATA = {2: ".zarray", 3: "zarr.json"}
_THREADS = 4


def keys_of(request: VolumeRequest) -> Iterator[str]:
    """Yield the key of every chunk of an announced array."""
    for index in product(*(range(number) for number in grid_of(request))):
        yield key_of(request, index)


def received(source: Source) -> NDArray[Any]:
    """Return what a backend sees: announcement and chunks put into a fresh zarr store."""
    request, store = source.request, MemoryStore()
    prototype = default_buffer_prototype()
    files = {_METADATA[request.array.zarr_format]: json.dumps(request.array.document).encode()}
    for key in keys_of(request):
        encoded = source.chunk(key)
        if encoded is not None:
            files[key] = encoded
    for key, content in files.items():
        sync(store.set(key, prototype.buffer.from_bytes(content)))
    return np.asarray(zarr.open_array(store, mode="r")[...])


class SourceContract:
    """Tests of a `Source`; a subclass gives the fixtures `source` and `expected`."""

    @pytest.fixture
    def source(self) -> Source:
        """Return the source under test, open."""
        raise NotImplementedError

    @pytest.fixture
    def expected(self) -> NDArray[Any]:
        """Return the pixels of `source`, in its axes and dtype."""
        raise NotImplementedError

    def test_the_announcement_agrees_with_itself(
        self, source: Source, expected: NDArray[Any]
    ) -> None:
        """A backend accepts it, and it says what the pixels are."""
        request = source.request
        assert announcement_fault(request) is None
        assert tuple(request.shape[axis] for axis in request.axes) == expected.shape
        assert request.dtype == expected.dtype.name
        assert request.statistics is None
        json.loads(request.model_dump_json())

    def test_the_announcement_stays_the_same(self, source: Source) -> None:
        """Two looks at one source see one volume."""
        assert source.request == source.request

    def test_chunks_decode_to_the_pixels(self, source: Source, expected: NDArray[Any]) -> None:
        """Announcement and chunks alone give the image."""
        np.testing.assert_array_equal(received(source), expected)

    def test_the_whole_is_read(self, source: Source, expected: NDArray[Any]) -> None:
        """Axes that are not named are whole; the byte order is the machine's."""
        values = source.read({})
        np.testing.assert_array_equal(values, expected)
        assert values.dtype.isnative
        assert values.dtype == expected.dtype

    def test_a_region_is_read(self, source: Source, expected: NDArray[Any]) -> None:
        """A box that follows no chunk border."""
        region: dict[AxisName, Interval] = {
            axis: (extent // 3, max(extent // 3 + 1, extent - 1))
            for axis, extent in source.request.shape.items()
        }
        index = tuple(slice(*region[axis]) for axis in source.request.axes)
        np.testing.assert_array_equal(source.read(region), expected[index])

    def test_an_empty_region_is_read(self, source: Source) -> None:
        """No voxels are no error."""
        assert source.read({"y": (0, 0)}).size == 0

    def test_a_region_outside_is_refused(self, source: Source) -> None:
        """As is one along an axis that is not there."""
        with pytest.raises(RegionInvalid):
            source.read({"y": (0, source.request.shape["y"] + 1)})
        with pytest.raises(RegionInvalid):
            source.read({"x": (-1, 1)})
        stranger = next(axis for axis in ("t", "c", "z", "x") if axis not in source.request.axes)
        with pytest.raises(RegionInvalid):
            source.read({stranger: (0, 1)})  # type: ignore[dict-item] # mypy widens the literal

    def test_an_unknown_chunk_is_refused(self, source: Source) -> None:
        """Outside of the grid, of another depth, or no key at all."""
        request = source.request
        beyond = key_of(request, grid_of(request))
        for key in (beyond, f"{beyond}/0", "", "zarr.json", "../secret", "c/-1/0/0"):
            with pytest.raises(SourceUnreadable):
                source.chunk(key)

    def test_threads_read_at_once(self, source: Source, expected: NDArray[Any]) -> None:
        """Every thread gets the same pixels and chunks."""
        keys = list(keys_of(source.request))[:_THREADS]
        alone = [source.chunk(key) for key in keys]
        with ThreadPoolExecutor(_THREADS) as pool:
            whole = [pool.submit(source.read, {}) for _ in range(_THREADS)]
            together = list(pool.map(source.chunk, keys))
        assert together == alone
        for future in whole:
            np.testing.assert_array_equal(future.result(), expected)

    def test_it_is_found_again(self, source: Source, expected: NDArray[Any]) -> None:
        """What has an origin can be opened from it, as the same volume."""
        if source.origin is None:
            return
        again = reopen(type(source.origin).model_validate_json(source.origin.model_dump_json()))
        try:
            assert again.request == source.request
            np.testing.assert_array_equal(again.read({}), expected)
        finally:
            again.close()

    def test_closing_twice_is_no_error(self, source: Source) -> None:
        """Whoever cleans up need not ask."""
        source.close()
        source.close()
