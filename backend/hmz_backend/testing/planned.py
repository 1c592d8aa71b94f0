"""Small images, models and plans to test with: only what matters to geometry is filled in."""

from collections.abc import Mapping, Sequence

from hmz_backend.planning import make_plan
from napari_hmz.schema import (
    ArrayDocument,
    AxisName,
    InputSpec,
    ModelCard,
    OutputSpec,
    Plan,
    RunRequest,
    SizeRule,
    Sizes,
    StitchSpec,
    TileSpec,
    VolumeRequest,
)

PLENTY_BYTES = 1 << 40


def an_image(
    shape: Mapping[AxisName, int],
    chunks: Mapping[AxisName, int] | None = None,
    *,
    dtype: str = "uint8",
    document: Mapping[str, object] | None = None,
    zarr_format: int = 3,
) -> VolumeRequest:
    """Return an announced image; its axes are those of `shape`, in that order."""
    return VolumeRequest(
        axes=tuple(shape),
        shape=dict(shape),
        chunks=dict(chunks or shape),
        dtype=dtype,
        array=ArrayDocument.model_validate(
            {"zarr_format": zarr_format, "document": dict(document or {})}
        ),
        fingerprint="0123456789abcdef",
    )


def a_model(
    axes: Sequence[AxisName] = ("z", "y", "x"),
    *,
    preferred: Sizes | None = None,
    halo: Sizes | None = None,
    sizes: Mapping[AxisName, SizeRule] | None = None,
    channels: Sequence[str] = ("intensity",),
    outputs: Sequence[OutputSpec] = (),
    tile: TileSpec | None = None,
) -> ModelCard:
    """Return the card of a model that makes labels of an image, unless `outputs` says else."""
    spatial: tuple[AxisName, ...] = tuple(axis for axis in axes if axis != "c")
    return ModelCard(
        id="model",
        version="1.0.0",
        name="Model",
        summary="",
        task="instance-segmentation",
        digest="",
        inputs=(
            InputSpec(
                name="image", axes=tuple(axes), channels=tuple(channels), sizes=dict(sizes or {})
            ),
        ),
        outputs=tuple(outputs) or (labels_output(spatial),),
        tile=tile or TileSpec(preferred=preferred or {}, halo=halo or {}),
    )


def labels_output(
    axes: Sequence[AxisName], rule: str = "overlap", threshold: float = 0.5
) -> OutputSpec:
    """Return an output of instance labels."""
    stitch = StitchSpec.model_validate(
        {"mode": "merge-labels", "rule": rule, "threshold": threshold}
    )
    return OutputSpec(
        name="labels", kind="instance-labels", axes=tuple(axes), dtype="uint32", stitch=stitch
    )


def image_output(axes: Sequence[AxisName], mode: str = "crop", **more: object) -> OutputSpec:
    """Return an output that is an image."""
    return OutputSpec.model_validate(
        {
            "name": "image",
            "kind": "image",
            "axes": tuple(axes),
            "dtype": "float32",
            "stitch": {"mode": mode},
            **more,
        }
    )


def a_plan(card: ModelCard, volume: VolumeRequest, **request: object) -> Plan:
    """Return the plan of a run with plenty of memory."""
    asked = RunRequest.model_validate({"model": card.id, "volume": "v", **request})
    return make_plan(card, volume, asked, memory_budget_bytes=PLENTY_BYTES, tiles_in_flight=2)
