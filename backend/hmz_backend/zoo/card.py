"""The model card of a package: the description, `config.hmz`, and sensible values for the rest."""

from pathlib import Path
from typing import Any, TypeAlias

from hmz_backend.serving.description import Description
from hmz_backend.serving.reference import StepDescription
from hmz_backend.zoo.extension import Extension, InputExtension, OutputExtension
from hmz_backend.zoo.tensors import input_spec, output_spec
from napari_hmz.schema import (
    Author,
    Citation,
    InputSpec,
    ModelCard,
    NormaliseSpec,
    OutputSpec,
    Sizes,
    TileSpec,
)
from napari_hmz.schema.axes import SPATIAL_AXES, AxisName

Words: TypeAlias = Any
"""An author or a citation of `bioimageio.spec`."""

LONGEST_TEXT = 65_536
"""Characters of documentation that travel on a card."""
DERIVED_TILE_PX = {1: 4096, 2: 512, 3: 128}
DERIVED_HALO_PX = {1: 64, 2: 32, 3: 16}
TASK_TAGS = {
    "instance-segmentation": "instance-segmentation",
    "semantic-segmentation": "semantic-segmentation",
    "image-restoration": "restoration",
    "restoration": "restoration",
    "denoising": "restoration",
    "object-detection": "detection",
    "detection": "detection",
    "image-classification": "classification",
}
TASK_OF_KIND = {
    "instance-labels": "instance-segmentation",
    "semantic-labels": "semantic-segmentation",
    "probabilities": "semantic-segmentation",
    "image": "restoration",
    "points": "detection",
    "boxes": "detection",
    "table": "classification",
    "embedding": "embedding",
}


def make_card(description: Description, extension: Extension, digest: str) -> ModelCard:
    """Describe a model to whoever may run it.

    Parameters
    ----------
    description
        The bioimage.io description.
    extension
        Its `config.hmz`.
    digest
        SHA-256 over the package's files.

    Raises
    ------
    PackageInvalid
        If a tensor is of a kind that cannot be run tile by tile.
    """
    model = description.model
    inputs, outputs = _inputs(description, extension), _outputs(description, extension)
    return ModelCard(
        id=model_id(description),
        version=str(model.version) if model.version is not None else "0",
        name=model.name,
        summary=model.description or "",
        task=extension.task or _task(model.tags, outputs),
        digest=digest,
        documentation=_documentation(description),
        licence=str(model.license or ""),
        authors=tuple(_author(author) for author in model.authors),
        citations=tuple(_citation(entry) for entry in model.cite),
        tags=tuple(str(tag) for tag in model.tags),
        inputs=inputs,
        outputs=outputs,
        parameters=extension.parameters,
        normalise=extension.normalise or _normalise(description, extension),
        tile=(extension.tile or _tile(description, inputs[0])).model_copy(
            update={"rescale": extension.rescale}
        ),
        access=extension.access,
        quality=extension.quality,
        training_data=extension.training_data,
        thumbnail=_thumbnail(description),
    )


def model_id(description: Description) -> str:
    """Return the id of a model: the description's, else its folder's name; fit for addresses."""
    return str(description.model.id or description.folder.name).replace("/", "-")


def _inputs(description: Description, extension: Extension) -> tuple[InputSpec, ...]:
    return tuple(
        input_spec(description, name, extension.inputs.get(name, InputExtension()))
        for name in description.inputs
    )


def _outputs(description: Description, extension: Extension) -> tuple[OutputSpec, ...]:
    return tuple(
        output_spec(description, name, extension.outputs.get(name, OutputExtension()))
        for name in description.outputs
    )


def _task(tags: list[str], outputs: tuple[OutputSpec, ...]) -> str:
    tagged = [TASK_TAGS[tag.lower()] for tag in tags if tag.lower() in TASK_TAGS]
    return tagged[0] if tagged else TASK_OF_KIND[outputs[0].kind]


def _documentation(description: Description) -> str:
    path = _own_file(description, description.model.documentation)
    if path is None:
        return ""
    return path.read_text(encoding="utf-8", errors="replace")[:LONGEST_TEXT]


def _thumbnail(description: Description) -> str:
    covers = description.model.covers
    path = _own_file(description, covers[0]) if covers else None
    return path.relative_to(description.folder).as_posix() if path else ""


def _own_file(description: Description, entry: object) -> Path | None:
    if entry is None:
        return None
    source = getattr(entry, "source", entry)
    path = description.folder / str(getattr(source, "path", source))
    return path if path.is_file() else None


def _author(author: Words) -> Author:
    return Author(
        name=author.name, affiliation=author.affiliation or "", orcid=str(author.orcid or "")
    )


def _citation(entry: Words) -> Citation:
    return Citation(text=entry.text, doi=str(entry.doi or ""), url=str(entry.url or ""))


def _normalise(description: Description, extension: Extension) -> NormaliseSpec:
    steps = [step for tensor in description.inputs.values() for step in tensor.preprocessing]
    measures = [word for step in steps for word in _measures(step)]
    measures += sorted(extension.statistics_bindings)  # figures of the volume that a step is given
    if measures:
        return NormaliseSpec(scope="volume", measures=tuple(dict.fromkeys(measures)))
    fixed = any(str(step.id).startswith(("fixed_", "scale_linear")) for step in steps)
    return NormaliseSpec(scope="fixed" if fixed else "none")


def _measures(step: StepDescription) -> tuple[str, ...]:
    if str(step.id) == "zero_mean_unit_variance":
        return ("mean", "standard deviation")
    if str(step.id) == "scale_range":
        return (
            f"percentile {step.kwargs.min_percentile:g}",
            f"percentile {step.kwargs.max_percentile:g}",
        )
    return ()


def _tile(description: Description, first: InputSpec) -> TileSpec:
    count = sum(axis in SPATIAL_AXES for axis in first.axes)
    extents = {axis: _extent(first, axis, DERIVED_TILE_PX[count]) for axis in first.sizes}
    halos = _declared_halo(description) or {
        axis: DERIVED_HALO_PX[count] for axis in first.sizes if first.sizes[axis].step
    }
    return TileSpec(preferred=extents, halo=halos)


def _extent(first: InputSpec, axis: AxisName, wanted_px: int) -> int:
    rule = first.sizes[axis]
    if rule.step == 0:
        return rule.minimum
    return rule.minimum + max(0, wanted_px - rule.minimum) // rule.step * rule.step


def _declared_halo(description: Description) -> Sizes:
    """Return the halo that outputs declare: what is wrong at their edges."""
    return {
        axis: int(entry.halo)
        for tensor in description.outputs.values()
        for entry in tensor.axes
        for axis in SPATIAL_AXES
        if str(entry.id) == axis and hasattr(entry, "halo")
    }
