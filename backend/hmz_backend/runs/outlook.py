"""What a run can say of its future: how fast it goes, and which wall holds it back."""

from dataclasses import dataclass, field

from hmz_backend.runs.pace import Pace

CHUNKS_AT_ONCE = 8
"""About as many as a client has under way."""


@dataclass
class Outlook:
    """The pace of a run at its two walls: the link that brings chunks, the engine.

    Parameters
    ----------
    at_once
        How many tiles the engine computes at the same time.
    usual_voxels_per_s
        How fast the model was here before; none if that is not known.
    """

    at_once: int
    usual_voxels_per_s: float | None = None
    engine: Pace = field(init=False)
    link: Pace = field(init=False)
    chunks: int = 0
    """How many have arrived since the run was taken up."""

    def __post_init__(self) -> None:
        """Begin to count."""
        self.engine, self.link = Pace(self.at_once), Pace(CHUNKS_AT_ONCE)

    def arrived(self, now_s: float) -> None:
        """Note that a chunk has come."""
        self.chunks += 1
        self.link.add(1, 1, now_s)

    def computed(self, voxels: int, blocks: int, now_s: float) -> None:
        """Note that blocks are done, with so many voxels of the region."""
        self.engine.add(voxels, blocks, now_s)

    def voxels_per_s(self, now_s: float) -> float | None:
        """Return how fast blocks get done now; 0 while none does, none before it is known."""
        rate = self.engine.rate()
        return 0.0 if rate is not None and self.engine.is_still(now_s) else rate

    def seconds_left(
        self, *, voxels: int, chunks: int, awaits_chunks: bool, now_s: float
    ) -> float | None:
        """Return how long the rest takes at the slower wall; none while nobody can tell.

        Parameters
        ----------
        voxels, chunks
            How many are still to be done, and to come.
        awaits_chunks
            Whether the engine stands still because chunks are missing: that says nothing of it.
        """
        engine_s = self._engine_s(voxels, now_s, excused=awaits_chunks)
        link_s = self._link_s(chunks, now_s)
        return None if engine_s is None or link_s is None else max(engine_s, link_s)

    def _engine_s(self, voxels: int, now_s: float, *, excused: bool) -> float | None:
        rate = self.engine.rate()
        if rate is None:
            rate = self.usual_voxels_per_s
        elif self.engine.is_still(now_s) and not excused:
            return None
        return voxels / rate if rate else None

    def _link_s(self, chunks: int, now_s: float) -> float | None:
        if not chunks:
            return 0.0
        rate = self.link.rate()
        return None if not rate or self.link.is_still(now_s) else chunks / rate
