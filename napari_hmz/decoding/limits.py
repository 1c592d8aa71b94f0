"""How large a compressed body becomes, found out before anything is decompressed.

A compression bomb is a small body that decodes to a huge one. Each function here returns an upper
bound of the decoded size from headers alone, or decodes with a limit where the format has no size.
"""

import struct
import zlib

from napari_hmz.errors import ChunkCorrupt, ChunkTooLarge

ZSTD_MAGIC = 0xFD2FB528
ZSTD_SKIPPABLE = 0x184D2A50
ZSTD_BLOCK_BYTES = 128 * 1024
_BLOSC_HEADER = struct.Struct("<4B3I")
_GZIP_WINDOW = 31
_ZLIB_WINDOW = 15


def blosc_size(body: bytes) -> int:
    """Return the decoded size that a blosc header states, after checking its own length."""
    if len(body) < _BLOSC_HEADER.size:
        raise ChunkCorrupt("A blosc chunk is shorter than its header.")
    *_, decoded, _block, encoded = _BLOSC_HEADER.unpack_from(body)
    if encoded != len(body):
        raise ChunkCorrupt(f"A blosc chunk of {encoded} bytes came with {len(body)}.")
    return int(decoded)


def lz4_size(body: bytes) -> int:
    """Return the decoded size that numcodecs writes before an LZ4 block."""
    if len(body) < 4:  # noqa: PLR2004 # the size itself
        raise ChunkCorrupt("An LZ4 chunk is shorter than its header.")
    return int.from_bytes(body[:4], "little")


def inflate(body: bytes, limit: int, *, gzip: bool) -> bytes:
    """Decompress zlib or gzip, refusing to go past `limit` bytes."""
    decoder = zlib.decompressobj(wbits=_GZIP_WINDOW if gzip else _ZLIB_WINDOW)
    try:
        decoded = decoder.decompress(body, limit + 1)
    except zlib.error as error:
        raise ChunkCorrupt("A chunk does not decompress.") from error
    check_size(len(decoded), limit)
    if not decoder.eof or decoder.unused_data:
        raise ChunkCorrupt("A compressed chunk is cut short, or has bytes after its end.")
    return decoded


def check_size(size: int, limit: int) -> None:
    """Refuse a decoded size over the limit.

    Raises
    ------
    ChunkTooLarge
        If `size` is over `limit`.
    """
    if size > limit:
        raise ChunkTooLarge(f"A chunk decodes to more than the announced {limit} bytes.")


def zstd_bound(body: bytes) -> int:
    """Return an upper bound of the decoded size of all zstd frames in `body`.

    The stated content size is used where there is one; else each block counts with the most
    that it can hold.
    """
    position, bound = 0, 0
    try:
        while position < len(body):
            (magic,) = struct.unpack_from("<I", body, position)
            if magic & 0xFFFFFFF0 == ZSTD_SKIPPABLE:
                position += 8 + struct.unpack_from("<I", body, position + 4)[0]
                continue
            if magic != ZSTD_MAGIC:
                raise ChunkCorrupt("A chunk is not zstd.")
            position, size = _zstd_frame(body, position + 4)
            bound += size
    except (struct.error, IndexError) as error:
        raise ChunkCorrupt("A zstd chunk is cut short.") from error
    return bound


def _zstd_frame(body: bytes, position: int) -> tuple[int, int]:
    """Return where the frame ends and how large it can become (RFC 8878, section 3.1.1)."""
    descriptor = body[position]
    single, checksum = bool(descriptor & 0x20), bool(descriptor & 0x04)
    position += 1 + (not single) + (0, 1, 2, 4)[descriptor & 3]
    size_bytes = (1 if single else 0, 2, 4, 8)[descriptor >> 6]
    stated = int.from_bytes(body[position : position + size_bytes], "little")
    stated += 256 if size_bytes == 2 else 0  # noqa: PLR2004 # as the format says
    position, blocks = _zstd_blocks(body, position + size_bytes)
    return position + 4 * checksum, stated if size_bytes else blocks


def _zstd_blocks(body: bytes, position: int) -> tuple[int, int]:
    bound, last = 0, False
    while not last:
        header = int.from_bytes(body[position : position + 3], "little")
        if position + 3 > len(body):
            raise IndexError
        last, kind, size = bool(header & 1), (header >> 1) & 3, header >> 3
        raw, repeated = kind == 0, kind == 1
        bound += size if raw or repeated else ZSTD_BLOCK_BYTES
        position += 3 + (1 if repeated else size)
    return position, bound
