"""The plan: everything that is fixed before a run starts."""

from napari_hmz.schema.axes import Axes, AxisName, Region, Sizes
from napari_hmz.schema.base import Message
from napari_hmz.schema.card import ClassSpec, OutputKind, SizeRule


class OutputArray(Message):
    """One array that a run will write."""

    name: str
    kind: OutputKind
    axes: Axes
    shape: Sizes
    chunks: Sizes
    dtype: str
    voxel_size: dict[AxisName, float] = {}
    units: dict[AxisName, str] = {}
    translation: dict[AxisName, float] = {}
    channels: tuple[str, ...] = ()
    classes: tuple[ClassSpec, ...] = ()
    """Of semantic labels and of probabilities: names and colours."""


class OutputTable(Message):
    """One table that a run will write: rows of float64, `columns` of them each.

    Rows stand in raster order of their places, and so do not depend on the order of the work.
    """

    name: str
    kind: OutputKind
    axes: Axes
    """Of the volume, along which a row has a place."""
    columns: tuple[str, ...]
    """Coordinates first, in voxels of the volume: `z`, or `z_start` and `z_stop` of a box; where
    the model's rows have no places, those of the centres of their blocks."""
    voxel_size: dict[AxisName, float] = {}
    units: dict[AxisName, str] = {}
    translation: dict[AxisName, float] = {}
    """Of the volume's first voxel, whatever the region."""


class Plan(Message):
    """What a run will do: its blocks, its bytes, its memory and its time.

    ```
    tile = halo + block + halo, along each spatial axis
    ┌───────────────┐
    │ halo          │   the model sees all of it
    │   ┌───────┐   │
    │   │ block │   │   only this is kept (or blended)
    │   └───────┘   │
    └───────────────┘
    ```
    """

    model: str
    version: str
    region: Region
    """What part of the volume is worked on."""
    context: Region = {}
    """What tiles may read: the region, and a halo around it where there is more to see."""
    tiled: tuple[AxisName, ...] = ()
    """The axes along which a tile has an extent; the others are iterated, or taken by the model."""
    channels: tuple[int, ...] = ()
    """The volume's channel for each channel of the model; empty where `c` is iterated or absent."""
    block: Sizes
    halo: Sizes
    tile: Sizes
    """The largest tile; those at the edge of what may be read end there, as `sizes` allows."""
    sizes: dict[AxisName, SizeRule] = {}
    """The extents that a tile may have; along an axis without a rule all tiles are alike."""
    margin: Sizes = {}
    """How much shorter than its tile the shortest result is, on each side."""
    grid: Sizes
    """How many blocks there are along each axis."""
    blocks: int
    voxels: int
    outputs: tuple[OutputArray, ...]
    tables: tuple[OutputTable, ...] = ()
    chunks_needed: int
    bytes_up: int
    """An upper bound: decoded size of the chunks that are not yet held."""
    bytes_down: int
    """An upper bound: decoded size of all arrays; nobody knows how many rows tables will have."""
    memory_bytes: int
    """Expected peak on the backend, for all tiles in the air together."""
    seconds: float | None = None
    """Expected computing time; none if nobody has measured the model."""
    measured: bool = False
    """Whether `seconds` is what the model has taken at this backend; else its card says so."""
    position: int = 0
    """Which place in the queue the run would have now; 0: it would begin at once."""
    wait_s: float | None = None
    """How long it would wait there; none if nobody can tell."""
    warnings: tuple[str, ...] = ()
