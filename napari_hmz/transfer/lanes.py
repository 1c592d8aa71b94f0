"""How many chunks travel at the same time, so that a long link is as full as a short one.

Each connection carries one chunk and then waits one round trip for the answer. The link stays full
if the others have enough on the way meanwhile: its rate times the round trip.
"""

import math

_LEAST = 6
"""On a short link: some are read and encoded while others travel."""
_LINK_BYTES_PER_S = 125e6
"""The fastest link that is meant to be filled: 1 Gbit/s."""
_PACKED = 0.5
"""What encoding leaves of a chunk, as camera images have it; labels are far smaller still."""


def lanes(chunk_bytes: int, *, rtt_s: float, most: int) -> int:
    """Return how many chunks should travel at the same time.

    Parameters
    ----------
    chunk_bytes
        Decoded size of one chunk.
    rtt_s
        Round-trip time of the link.
    most
        What may be under way at all.
    """
    missing = _LINK_BYTES_PER_S * rtt_s / max(1.0, _PACKED * chunk_bytes)
    return max(1, min(most, _LEAST + math.ceil(missing)))
