"""The model card: what the backend says of a model, and all that any interface is made from."""

from typing import Final, Literal

from pydantic import Field

from napari_hmz.schema.axes import Axes, AxisName, Sizes
from napari_hmz.schema.base import Message
from napari_hmz.schema.parameters import ParameterSpec

InputKind = Literal["image", "labels", "points", "boxes", "scribbles"]
OutputKind = Literal[
    "instance-labels",
    "semantic-labels",
    "probabilities",
    "image",
    "points",
    "boxes",
    "table",
    "embedding",
]
TABLE_KINDS: Final[frozenset[OutputKind]] = frozenset({"points", "boxes", "table"})
"""Outputs that are rows of numbers; all others are arrays as large as the region."""
Task = Literal[
    "instance-segmentation",
    "semantic-segmentation",
    "restoration",
    "detection",
    "classification",
    "embedding",
    "promptable-segmentation",
]
PadMode = Literal["reflect", "edge", "symmetric", "wrap", "constant"]


class SizeRule(Message):
    """The extents that a model accepts along one axis: `minimum + n * step`.

    A `step` of 0 means that only `minimum` is accepted.
    """

    minimum: int = Field(default=1, ge=1)
    step: int = Field(default=1, ge=0)

    def fit(self, at_least_px: int) -> int | None:
        """Return the smallest extent that holds `at_least_px`; none if there is none."""
        if self.step == 0:
            return self.minimum if at_least_px <= self.minimum else None
        return self.minimum + self.step * max(0, -(-(at_least_px - self.minimum) // self.step))


class InputSpec(Message):
    """One input tensor of a model."""

    name: str
    kind: InputKind = "image"
    axes: Axes
    """The model's axes without its batch axis, outermost first."""
    channels: tuple[str, ...] = ("intensity",)
    """Names of the channels that the model wants, in its order."""
    dtypes: tuple[str, ...] = ("uint8", "uint16", "int16", "float32")
    """What can be sent raw; converted beside the network, without loss."""
    sizes: dict[AxisName, SizeRule] = {}
    """Per spatial axis, the tile extents that the network accepts."""
    voxel_size_um: dict[AxisName, float] = {}
    """The voxel size the model was made for, in micrometres; empty: any."""
    voxel_size_tolerance: float = Field(default=2.0, ge=1.0)
    """Up to this factor the voxel size may differ."""
    pad: PadMode = "reflect"
    pad_value: float = 0.0
    optional: bool = False
    """Whether the model runs without it; the first input must always be there."""


class ClassSpec(Message):
    """One class of a semantic output."""

    value: int
    name: str
    color: str = ""
    """As `#rrggbb`."""


class StitchSpec(Message):
    """How the results of neighbouring tiles become one."""

    mode: Literal["crop", "blend", "merge-labels", "none"] = "crop"
    weight: Literal["linear", "gaussian"] = "linear"
    """The blending window."""
    rule: Literal["agreement", "overlap"] = "agreement"
    """Join labels that agree (mutual best, intersection over union), or that overlap at all."""
    threshold: float = Field(default=0.5, gt=0, le=1)
    """The least intersection over union in the overlap of two tiles that counts as agreement."""
    largest_object_px: Sizes = {}
    """The largest object per axis, if known: a halo of this size makes the result exact."""


class OutputSpec(Message):
    """One output tensor of a model."""

    name: str
    kind: OutputKind
    axes: Axes
    """Of an array, its own; of a table, those along which its rows have a place."""
    dtype: str
    channels: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    """Of a table: what each number of a row is. A coordinate is named like its axis, in voxels of
    the tile; of a box, `y_start` and `y_stop` are its first voxel and the one past its last."""
    classes: tuple[ClassSpec, ...] = ()
    stitch: StitchSpec = StitchSpec()
    margin_px: Sizes = {}
    """What the output lacks on each side of the input tile (valid convolutions)."""


class NormaliseSpec(Message):
    """What the model's intensities are scaled by, and over which scope that is measured."""

    scope: Literal["volume", "tile", "fixed", "none"] = "none"
    measures: tuple[str, ...] = ()
    """For the reader: for example `percentile 1`, `percentile 99.8`, `mean`."""


class HaloRule(Message):
    """A halo that grows with a parameter: `ceil(factor * value)` voxels, at least the declared."""

    parameter: str
    factor: float = Field(gt=0)


class RescaleRule(Message):
    """Tiles are zoomed by `reference / parameter` before the network, and back after it."""

    parameter: str
    reference: float = Field(gt=0)
    axes: tuple[AxisName, ...]


class TileSpec(Message):
    """The tiles that suit a model."""

    preferred: Sizes = {}
    """Tile extents, halo included."""
    halo: Sizes = {}
    halo_rule: HaloRule | None = None
    memory_bytes_per_voxel: float = Field(default=64.0, gt=0)
    """Of a tile that is not rescaled."""
    seconds_per_megavoxel: float | None = None
    """As measured on the machine that made the package, on tiles that are not rescaled."""
    rescale: RescaleRule | None = None
    """What a parameter does to the network's share of memory and time."""
    batch: int = Field(default=1, ge=1)
    skip_empty: bool = False
    """Nothing is found in a tile of one value: it gives zeros alone. The first one of a run is
    computed all the same, and the others are skipped if that holds for the run's parameters."""


class AccessSpec(Message):
    """Who may see and use a model."""

    public: bool = True
    groups: tuple[str, ...] = ()
    """AARC-G069 groups whose members may, if it is not public; none: reviewers and admins only."""
    data_classes: tuple[str, ...] = ()
    """Which images it may be given, `open` or `sensitive` ones; none: any."""


class Measurement(Message):
    """One figure of a model's quality: how good, on what, by which command."""

    metric: str
    value: float
    dataset: str
    samples: int | None = None
    protocol: str = ""
    """How it was measured: split, settings, command."""


class Author(Message):
    """A person or group who made a model."""

    name: str
    affiliation: str = ""
    orcid: str = ""


class Citation(Message):
    """What to cite."""

    text: str
    doi: str = ""
    url: str = ""


class ModelCard(Message):
    """All that a client needs to know of one version of one model."""

    id: str
    version: str
    name: str
    summary: str
    task: Task | str
    digest: str
    """SHA-256 over the package's files: what provenance names."""
    documentation: str = ""
    licence: str = ""
    authors: tuple[Author, ...] = ()
    citations: tuple[Citation, ...] = ()
    tags: tuple[str, ...] = ()
    inputs: tuple[InputSpec, ...]
    outputs: tuple[OutputSpec, ...]
    parameters: dict[str, ParameterSpec] = {}
    normalise: NormaliseSpec = NormaliseSpec()
    tile: TileSpec = TileSpec()
    access: AccessSpec = AccessSpec()
    quality: tuple[Measurement, ...] = ()
    training_data: str = ""
    """What the model has seen, and so what it may fail on."""
    thumbnail: str = ""
    """Path of a small picture below the model's address, if there is one."""
    voxels_per_s_here: float | None = None
    """What runs on this backend have taught of its speed, at the defaults of its parameters, halos
    included; none before the first one. It says nothing of the model and is in no digest."""

    @property
    def dimensions(self) -> int:
        """How many spatial axes the first input has: 2 or 3."""
        return sum(axis in ("z", "y", "x") for axis in self.inputs[0].axes)
