"""An output of a run as a read-only zarr store over HTTP.

Threads: zarr calls `get` on its own event loop; the request itself runs in a thread of that loop.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable

from zarr.abc.store import (
    ByteRequest,
    OffsetByteRequest,
    RangeByteRequest,
    Store,
    SuffixByteRequest,
)
from zarr.core.buffer import Buffer, BufferPrototype

from napari_hmz.errors import NotFound
from napari_hmz.http import Http
from napari_hmz.schema import wire


class OutputStore(Store):
    """Reads the keys of one output; what is not computed yet is missing, so fill value.

    Parameters
    ----------
    http, run_id, output
        Where to read.
    """

    supports_writes: bool = False
    supports_deletes: bool = False
    supports_listing: bool = False

    def __init__(self, http: Http, run_id: str, output: str) -> None:
        super().__init__(read_only=True)
        self._http, self._run_id, self._output = http, run_id, output

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OutputStore) and self._address == other._address

    def __hash__(self) -> int:
        return hash(self._address)

    def __repr__(self) -> str:
        return f"OutputStore({'/'.join(self._address)!r})"

    @property
    def _address(self) -> tuple[str, str, str]:
        return (self._http.url, self._run_id, self._output)

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return the bytes at `key`, or None if there are none."""
        value = await asyncio.to_thread(self._fetch, key)
        if value is None:
            return None
        return prototype.buffer.from_bytes(value[_interval(byte_range, len(value))])

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Return the bytes of several keys."""
        return await asyncio.gather(
            *(self.get(key, prototype, byte_range) for key, byte_range in key_ranges)
        )

    async def exists(self, key: str) -> bool:
        """Return whether there are bytes at `key`."""
        return await asyncio.to_thread(self._fetch, key) is not None

    def _fetch(self, key: str) -> bytes | None:
        try:
            return self._http.get_bytes(wire.output(self._run_id, self._output, key))
        except NotFound:
            return None

    async def set(self, key: str, value: Buffer) -> None:
        """Refuse: only the backend writes an output."""
        raise NotImplementedError

    async def delete(self, key: str) -> None:
        """Refuse: only the backend writes an output."""
        raise NotImplementedError

    async def list(self) -> AsyncIterator[str]:
        """Refuse: the wire has no listing."""
        raise NotImplementedError
        yield ""  # makes it a generator, as the base class declares

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Refuse: the wire has no listing."""
        raise NotImplementedError
        yield prefix  # makes it a generator

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Refuse: the wire has no listing."""
        raise NotImplementedError
        yield prefix  # makes it a generator


def _interval(byte_range: ByteRequest | None, size: int) -> slice:
    match byte_range:
        case RangeByteRequest(start, end):
            return slice(start, end)
        case OffsetByteRequest(offset):
            return slice(offset, None)
        case SuffixByteRequest(suffix):
            return slice(max(size - suffix, 0), None)
    return slice(None)
