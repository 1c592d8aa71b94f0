"""Runs: what is asked for, and how far it is."""

from typing import Annotated, Literal

from pydantic import Field

from napari_hmz.schema.axes import Region, Sizes
from napari_hmz.schema.base import Message
from napari_hmz.schema.parameters import ParameterValue
from napari_hmz.schema.plan import Plan
from napari_hmz.schema.problem import Problem
from napari_hmz.schema.share import AccessRight
from napari_hmz.schema.statistics import VolumeStatistics

RunState = Literal["queued", "running", "joining", "done", "failed", "cancelled"]
Waiting = Literal["", "chunks", "engine", "queue"]
Starter = Literal["api", "shell", "plugin"]
Urgency = Literal["batch", "interactive"]
ENDED: frozenset[str] = frozenset({"done", "failed", "cancelled"})


Name = Annotated[str, Field(max_length=256)]
"""Of a model, a volume, an input, an output or a parameter."""


class RunRequest(Message):
    """What a user wants: one model, over one region of one volume."""

    model: Name
    version: Name | None = None
    """None: the newest."""
    volume: Name
    """Feeds the model's first input."""
    inputs: dict[Name, Name] = Field({}, max_length=64)
    """The volumes of its other inputs, by their names; they lie on the same grid."""
    region: Region = {}
    """Axes that are not named are taken whole."""
    parameters: dict[Name, ParameterValue] = Field({}, max_length=256)
    outputs: tuple[Name, ...] = Field((), max_length=64)
    """Names of the outputs wanted; empty: all."""
    channels: tuple[int, ...] = Field((), max_length=4096)
    """Which channel of the volume feeds each channel of the model; empty: as they come."""
    block: Sizes = {}
    """Overrides the block that the plan would choose."""
    halo: Sizes = {}
    """Overrides the halo that the plan would choose."""
    join_planes: bool = False
    """Join the instances that a 2-D model finds in neighbouring planes, where they overlap."""
    ignore_voxel_size: bool = False
    """Run even though the voxel size is far from what the model was made for."""
    started_by: Starter = "api"
    """From where: Python, the command line, napari."""
    urgency: Urgency = "batch"
    """`interactive`: somebody waits for it, as for a preview; it goes first, within a cap."""

    @property
    def volumes(self) -> tuple[str, ...]:
        """All volumes that the run reads, the first input's first."""
        return (self.volume, *self.inputs.values())

    @property
    def substance(self) -> "RunRequest":
        """The request, whoever made it and waits for it: what two of them are compared by."""
        return self.model_copy(update={"started_by": "api", "urgency": "batch"})


class Progress(Message):
    """How far a run is."""

    blocks_done: int = 0
    blocks_total: int = 0
    voxels_done: int = 0
    chunks_held: int = 0
    chunks_needed: int = 0
    waiting_for: Waiting = ""
    """What keeps the run from going on: its image, the engine, or work that goes first."""
    voxels_per_s: float | None = None
    """How fast it goes now; 0 while nothing moves, none before enough is done to tell."""
    seconds_left: float | None = None
    """By the slower of link and engine; none while nobody can tell."""
    position: int = 0
    """While it waits for `queue`: its place there, 1 is next; else 0."""
    wait_s: float | None = None
    """How long until its turn comes; none while nobody can tell."""


class OutputResult(Message):
    """What became of one output."""

    name: str
    objects: int | None = None
    """How many objects an instance output has, once they are joined; how many rows a table has."""
    digest: str = ""
    """SHA-256 over the lines `key digest` of the stored chunks (of a table: of its blocks' rows) in
    key order, once it is done."""


class SourceUsed(Message):
    """The image behind an input beside the first."""

    name: str
    fingerprint: str
    statistics: VolumeStatistics | None = None


class Provenance(Message):
    """What is needed to repeat a run: stored in every output."""

    model: str
    version: str
    model_digest: str
    parameters: dict[str, ParameterValue]
    region: Region
    block: Sizes
    halo: Sizes
    statistics: VolumeStatistics | None
    source_name: str
    source_fingerprint: str
    inputs: dict[str, SourceUsed] = {}
    """What has fed the model's other inputs."""
    backend_version: str
    engine: str
    run: str
    created_at: str
    started_at: str | None = None
    ended_at: str | None = None


class Run(Message):
    """A run as the backend knows it."""

    id: str
    state: RunState
    request: RunRequest
    plan: Plan
    progress: Progress = Progress()
    results: tuple[OutputResult, ...] = ()
    provenance: Provenance
    error: Problem | None = None
    created_at: str
    started_at: str | None = None
    ended_at: str | None = None
    right: AccessRight = "own"
    """What the caller may do with it."""


class Focus(Message):
    """What the viewer looks at: blocks that touch it go first."""

    region: Region = Field(min_length=1)
