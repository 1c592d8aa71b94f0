"""Contradictions between `config.hmz` and the description that it stands in."""

from collections.abc import Iterator, Mapping

from hmz_backend.serving.description import Description
from hmz_backend.serving.reference import StepDescription
from hmz_backend.zoo.extension import NEWEST_VERSION, Binding, Extension
from napari_hmz.schema import resolve_parameters


def contradictions(description: Description, extension: Extension) -> list[str]:
    """Return one sentence for everything in `extension` that cannot be true of the model."""
    return [
        *_version(extension),
        *_tensors(description, extension),
        *_parameters(extension),
        *_bindings(description, extension),
        *_rules(description, extension),
        *_rescaled_rows(description, extension),
    ]


def _version(extension: Extension) -> Iterator[str]:
    if extension.version > NEWEST_VERSION:
        yield (
            f"config.hmz is of version {extension.version}, "
            f"of which this backend understands {NEWEST_VERSION}"
        )


def _tensors(description: Description, extension: Extension) -> Iterator[str]:
    for word, named, known in (
        ("input", extension.inputs, description.inputs),
        ("output", extension.outputs, description.outputs),
    ):
        for name in named:
            if name not in known:
                yield f"config.hmz speaks of the {word} '{name}'; there is {sorted(known)}"


def _parameters(extension: Extension) -> Iterator[str]:
    for origin, values in (("default", {}), ("test", extension.test.parameters)):
        _, problems = resolve_parameters(extension.parameters, values)
        for problem in problems:
            yield f"the {origin} of parameter '{problem.name}': {problem.message}"
    for name, spec in extension.parameters.items():
        for other in spec.visible_when:
            if other not in extension.parameters:
                yield f"parameter '{name}' depends on '{other}', which is no parameter"


def _bindings(description: Description, extension: Extension) -> Iterator[str]:
    for parameter, binding in extension.bindings.items():
        if parameter not in extension.parameters:
            yield f"bindings name '{parameter}', which is no parameter"
        yield from _binding(description, f"the binding of '{parameter}'", binding)
    for figure, binding in extension.statistics_bindings.items():
        yield from _binding(description, f"the binding of the statistic '{figure}'", binding)


def _binding(description: Description, what: str, binding: Binding) -> Iterator[str]:
    steps = _steps(description).get(binding.tensor)
    if steps is None:
        yield f"{what} names the tensor '{binding.tensor}', which is not there"
    elif binding.step >= len(steps):
        yield f"{what} names step {binding.step} of '{binding.tensor}', which has {len(steps)}"
    elif not _takes(steps[binding.step], binding.kwarg):
        yield f"{what} names '{binding.kwarg}', which step '{steps[binding.step].id}' does not take"


def _steps(description: Description) -> Mapping[str, list[StepDescription]]:
    return {
        **{name: list(tensor.preprocessing) for name, tensor in description.inputs.items()},
        **{name: list(tensor.postprocessing) for name, tensor in description.outputs.items()},
    }


def _takes(step: StepDescription, kwarg: str) -> bool:
    if str(step.id) == "custom":
        return True  # its Python code says so, and that is not run here
    return kwarg in type(step.kwargs).model_fields if hasattr(step, "kwargs") else False


def _rules(description: Description, extension: Extension) -> Iterator[str]:
    tile, rescale = extension.tile, extension.rescale
    spatial = set(description.input_axes(next(iter(description.inputs))))
    if tile is not None and tile.halo_rule is not None:
        yield from _number(extension, "tile.halo_rule", tile.halo_rule.parameter)
    if rescale is not None:
        yield from _number(extension, "rescale", rescale.parameter)
        for axis in rescale.axes:
            if axis not in spatial:
                yield f"rescale names the axis {axis}, which the first input lacks"
    for axis in {*(tile.halo if tile else ()), *(tile.preferred if tile else ())} - spatial:
        yield f"tile names the axis {axis}, which the first input lacks"


def _rescaled_rows(description: Description, extension: Extension) -> Iterator[str]:
    if extension.rescale is not None and extension.pipeline is None:
        for name in description.outputs:
            if description.columns(name) is not None:
                yield f"rescale resamples tiles, which the rows of output '{name}' know nothing of"


def _number(extension: Extension, what: str, parameter: str) -> Iterator[str]:
    spec = extension.parameters.get(parameter)
    if spec is None:
        yield f"{what} names '{parameter}', which is no parameter"
    elif spec.type not in ("number", "integer") or spec.optional:
        yield f"{what} needs '{parameter}' to be a number that is always given"
