"""A package's processing as the reference's operators, with parameters bound to its steps."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .code import load_callable
from .description import Description
from .errors import PackageBroken, ServingError, cause_of
from .reference import Measure, Operator, Sample, StepDescription, TensorDescription

KEPT = 16
"""Sets of operators kept for parameter values seen before: making some reads and runs a file."""
Bound = dict[tuple[str, int], dict[str, Any]]
"""(tensor, index of the step) -> keyword arguments that replace the package's."""


@dataclass(frozen=True)
class Step:
    """One operator of the reference, and the tensor that it belongs to."""

    tensor: str
    operator: Operator


@dataclass(frozen=True)
class Operators:
    """The steps before and after the network, in order."""

    before: tuple[Step, ...]
    after: tuple[Step, ...]

    @property
    def measures(self) -> "set[Measure]":
        """All measures that any step needs."""
        steps = (*self.before, *self.after)
        return {measure for step in steps for measure in step.operator.required_measures}


def bind(
    config: Mapping[str, Any],
    parameters: Mapping[str, object],
    statistics: Mapping[str, Any] | None,
) -> Bound:
    """Say which steps get which keyword arguments from parameters and from the volume's figures.

    A figure that is not known (no statistics; Otsu's threshold of a constant channel) leaves the
    package's own value in place.
    """
    bound: Bound = {}
    for name, place in (config.get("bindings") or {}).items():
        if name in parameters:
            _place(bound, place)[place["kwarg"]] = _json_value(parameters[name])
    channels = (statistics or {}).get("channels") or [{}]
    for figure, place in (config.get("statistics_bindings") or {}).items():
        if channels[0].get(figure) is not None:
            _place(bound, place)[place["kwarg"]] = float(channels[0][figure])
    return bound


def _place(bound: Bound, place: Mapping[str, Any]) -> dict[str, Any]:
    return bound.setdefault((str(place["tensor"]), int(place["step"])), {})


def _json_value(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


class OperatorShelf:
    """Makes the operators of a package for bound values, and keeps the latest."""

    def __init__(self, description: Description) -> None:
        self._description = description
        self._kept: OrderedDict[str, Operators] = OrderedDict()

    def operators(self, bound: Bound) -> Operators:
        """Return the package's operators with these arguments.

        Raises
        ------
        PackageBroken
            If a step cannot be made: a wrong argument, or a changed or missing file.
        """
        key = repr(sorted(bound.items()))
        if key not in self._kept:
            self._kept[key] = self._make(bound)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def _make(self, bound: Bound) -> Operators:
        known = {(name, index) for name, steps in self._declared() for index in range(len(steps))}
        if unknown := set(bound) - known:
            raise PackageBroken(
                f"a parameter is bound to the step {sorted(unknown)[0]}, which is not there"
            )
        inputs, outputs = self._description.inputs, self._description.outputs
        before = [step for name in inputs for step in self._steps(name, inputs[name], bound)]
        after = [step for name in outputs for step in self._steps(name, outputs[name], bound)]
        return Operators(before=tuple(before), after=tuple(after))

    def _declared(self) -> "list[tuple[str, Sequence[StepDescription]]]":
        inputs, outputs = self._description.inputs, self._description.outputs
        return [
            *((name, tensor.preprocessing) for name, tensor in inputs.items()),
            *((name, tensor.postprocessing) for name, tensor in outputs.items()),
        ]

    def _steps(self, name: str, tensor: TensorDescription, bound: Bound) -> "list[Step]":
        declared = dict(self._declared())[name]
        return [
            Step(
                name,
                make_operator(self._description.folder, tensor, step, bound.get((name, index), {})),
            )
            for index, step in enumerate(declared)
        ]


def make_operator(
    folder: Path, tensor: TensorDescription, step: StepDescription, arguments: Mapping[str, Any]
) -> Operator:
    """Make the reference's operator of one declared step, with some arguments replaced.

    Parameters
    ----------
    folder
        Of the package, for the file of a custom step.
    tensor
        The input or output that the step belongs to.
    step
        As declared.
    arguments
        Keyword arguments that replace declared ones.

    Raises
    ------
    PackageBroken
        If an argument is wrong, or the file of a custom step cannot be trusted or imported.
    """
    from bioimageio.core.proc_ops import get_proc

    try:
        if hasattr(step, "callable"):
            return _custom(folder, tensor, step, arguments)
        return _plain_scalars(get_proc(_replaced(step, arguments), tensor))
    except ServingError as error:
        raise PackageBroken(error.cause, tensor=str(tensor.id)) from error
    except Exception as error:  # contributed code may raise anything when it is made
        message = f"processing step '{step.id}' cannot be made: {cause_of(error)}"
        raise PackageBroken(message, tensor=str(tensor.id)) from error


def _custom(
    folder: Path, tensor: TensorDescription, step: StepDescription, arguments: Mapping[str, Any]
) -> Operator:
    # The reference imports the file itself, but leaves it open and keeps a copy that it never
    # removes; what it then makes of the callable is the same.
    from bioimageio.core.proc_ops import CustomProcessing

    source = str(getattr(step.source, "path", step.source))
    sha256 = None if step.sha256 is None else str(step.sha256)
    return CustomProcessing(
        input=tensor.id,
        output=tensor.id,
        custom_factory=load_callable(folder, source, sha256, str(step.callable)),
        kwargs={**step.kwargs, **arguments},
    )


def _replaced(step: StepDescription, arguments: Mapping[str, Any]) -> StepDescription:
    if not arguments:
        return step
    current = step.kwargs.model_dump()
    if unknown := set(arguments) - set(current):
        raise PackageBroken(f"step '{step.id}' has no argument '{sorted(unknown)[0]}'")
    return step.model_copy(
        update={"kwargs": type(step.kwargs).model_validate({**current, **arguments})}
    )


def _plain_scalars(operator: Operator) -> Operator:
    # numpy 1 and 2 promote arrays without axes differently; Python floats they treat alike.
    for name in ("mean", "std"):
        value: Any = getattr(operator, name, None)
        if getattr(value, "dims", None) == () and hasattr(value, "item"):
            setattr(operator, name, float(value))
    return operator


def apply(steps: Sequence[Step], sample: Sample) -> None:
    """Run steps on a sample of the reference, in place.

    Raises
    ------
    ServingError
        If a step fails; it names the tensor and the step.
    """
    for step in steps:
        try:
            step.operator(sample)
        except ServingError:
            raise
        except Exception as error:  # contributed code may raise anything
            message = f"processing step {type(step.operator).__name__} failed: {cause_of(error)}"
            raise ServingError(message, tensor=step.tensor) from error
