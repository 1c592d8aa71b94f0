"""What stands under `config.hmz` of a model description: all that bioimage.io's format lacks."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from hmz_backend.entitlements import canonical_group
from napari_hmz.schema import (
    AccessSpec,
    ClassSpec,
    DataClass,
    Measurement,
    NormaliseSpec,
    OutputKind,
    ParameterSpec,
    ParameterValue,
    RescaleRule,
    StitchSpec,
    TileSpec,
)
from napari_hmz.schema.axes import AxisName
from napari_hmz.schema.base import Message
from napari_hmz.schema.card import InputKind, PadMode, Task

NEWEST_VERSION = 1
"""The highest `version` of the section that this code understands."""

StatisticName = Literal["minimum", "maximum", "mean", "std", "otsu"]


class InputExtension(Message):
    """What bioimage.io cannot say of an input; what is left out is derived."""

    kind: InputKind = "image"
    channels: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    voxel_size_um: dict[AxisName, float] = {}
    voxel_size_tolerance: float = Field(default=2.0, ge=1.0)
    pad: PadMode | None = None
    pad_value: float | None = None


class OutputExtension(Message):
    """What bioimage.io cannot say of an output."""

    kind: OutputKind | None = None
    dtype: str | None = None
    channels: tuple[str, ...] = ()
    classes: tuple[ClassSpec, ...] = ()
    stitch: StitchSpec | None = None


class Binding(Message):
    """Where a value goes: a keyword argument of one processing step of one tensor."""

    tensor: str
    step: int = Field(ge=0)
    """Index in the tensor's list of pre- or post-processing steps."""
    kwarg: str


class PipelineEntry(Message):
    """A contributor's class that replaces network and processing."""

    source: str
    sha256: str
    callable: str


class AccessEntry(AccessSpec):
    """Who may see and use the model, checked: a group that is misspelt would have no members."""

    data_classes: tuple[DataClass, ...] = ()

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Self:
        if self.groups and self.public:
            raise ValueError("a model for groups needs `public: false`")
        return self

    @field_validator("groups")
    @classmethod
    def _canonical(cls, groups: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(canonical_group(group) for group in groups)


class TestEntry(Message):
    """How the test tensors were made."""

    __test__ = False  # the name begins with Test, and pytest would collect it

    parameters: dict[str, ParameterValue] = {}
    """Where they differ from the defaults."""


class Extension(Message):
    """The section `config.hmz`; fields that this version does not know are dropped."""

    version: int = Field(default=NEWEST_VERSION, ge=1)
    task: Task | None = None
    inputs: dict[str, InputExtension] = {}
    outputs: dict[str, OutputExtension] = {}
    normalise: NormaliseSpec | None = None
    parameters: dict[str, ParameterSpec] = {}
    bindings: dict[str, Binding] = {}
    """Parameter to the step that it steers."""
    statistics_bindings: dict[StatisticName, Binding] = {}
    """A figure of the first channel to the step that needs it."""
    rescale: RescaleRule | None = None
    tile: TileSpec | None = None
    pipeline: PipelineEntry | None = None
    test: TestEntry = TestEntry()
    access: AccessEntry = AccessEntry()
    quality: tuple[Measurement, ...] = ()
    training_data: str = ""
