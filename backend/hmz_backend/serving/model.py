"""One model package, loaded: raw tiles in, final outputs out.

A tile goes through: zoom (if `config.hmz.rescale`), padding to the network's size rule, the
declared pre-processing, the network, cropping and zooming back, the declared post-processing. One
object serves one thread at a time.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .axes import axis_ids
from .contributed import Contributed, load_contributed
from .description import Description, read_description
from .errors import ServingError, cause_of
from .measures import fixed, measured
from .network import Network, load_network
from .operators import Operators, OperatorShelf, apply, bind
from .reference import Measure, MeasureValue, Sample
from .rescale import zoom_of
from .sizes import crop, pad, shape_of, target_shapes
from .tile import (
    Part,
    check_inputs,
    final,
    from_scale,
    named,
    on_card,
    to_scale,
    unnamed,
    with_batch,
    written,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ServedModel:
    """A loaded model package; make one with `ServedModel.load`."""

    def __init__(self, description: Description, computes: Network | Contributed) -> None:
        self._description = description
        self._computes = computes
        self._shelf = OperatorShelf(description)

    @classmethod
    def load(
        cls, folder: Path, *, threads: int = 1, network: Network | None = None
    ) -> "ServedModel":
        """Load the package in `folder`, with its network unless one is given (Triton's BLS).

        Raises
        ------
        PackageBroken
            If a file is missing, changed or not understood; no step is left to fail at a tile.
        """
        description = read_description(folder)
        entry = description.config.get("pipeline")
        if entry:
            return cls(description, load_contributed(folder, entry, threads=threads))
        model = cls(description, network or load_network(description, threads=threads))
        model._shelf.operators(bind(description.config, model._values({}), None))
        return model

    def run_tile(
        self,
        inputs: "Mapping[str, NDArray[Any]]",
        parameters: Mapping[str, object],
        statistics: Mapping[str, Any] | None = None,
        origin: Mapping[str, int] | None = None,
        used: Mapping[str, Part] | None = None,
    ) -> "dict[str, NDArray[Any]]":
        """Compute one tile.

        Parameters
        ----------
        inputs
            Input name -> raw array in the card's axes of that input (no batch axis); never changed.
        parameters
            Values by name; the package's defaults stand in for those left out.
        statistics
            Of the first input's volume, channel by channel, as `VolumeStatistics` dumps them; those
            of other inputs stand under `inputs`, by their names.
        origin
            Axis -> where the tile begins in its volume, in voxels; 0 where it is not said. Tiles
            that are rescaled lie on one grid if they say it.
        used
            Output name -> which part of it is given; all of those that are not named.

        Returns
        -------
        outputs
            Output name -> C-contiguous array in the card's axes and the declared dtype.

        Raises
        ------
        TileRejected
            If an input is missing, unknown, or of wrong axes or dtype.
        ServingError
            If the network or a processing step fails.
        """
        description = self._description
        check_inputs(description, inputs)
        values = self._values(parameters)
        if isinstance(self._computes, Contributed):
            results = contribute(self._computes, inputs, values, statistics)
        else:
            results = self._compute(self._computes, inputs, values, statistics, origin or {})
        missing = set(description.outputs) - set(results)
        if missing:
            raise ServingError("the model did not give this output", tensor=sorted(missing)[0])
        parts = used or {}
        return {
            name: final(description, name, results[name], parts.get(name))
            for name in description.outputs
        }

    def _values(self, parameters: Mapping[str, object]) -> dict[str, object]:
        declared = self._description.config.get("parameters") or {}
        defaults = {name: spec.get("default") for name, spec in declared.items()}
        known = {name: value for name, value in defaults.items() if value is not None}
        return {**known, **parameters}

    def _compute(
        self,
        network: Network,
        inputs: "Mapping[str, NDArray[Any]]",
        values: Mapping[str, object],
        statistics: Mapping[str, Any] | None,
        origin: Mapping[str, int],
    ) -> "Mapping[str, NDArray[Any]]":
        from bioimageio.core import Sample as NamedArrays

        description = self._description
        operators = self._shelf.operators(bind(description.config, values, statistics))
        zoom = zoom_of(description.config.get("rescale") or {}, values)
        given = with_batch(description, inputs)
        arrays = to_scale(description, given, zoom, origin)
        stat = self._measures(operators, arrays, statistics)
        shapes = {name: shape_of(description.inputs[name], a) for name, a in arrays.items()}
        targets = target_shapes(description, shapes)
        padded = {n: pad(description.inputs[n], a, targets[n]) for n, a in arrays.items()}
        sample = NamedArrays(members=named(description.inputs, padded), stat=stat, id=None)
        apply(operators.before, sample)
        fields = self._run(network, sample)
        fields = {name: crop(description, name, field, shapes) for name, field in fields.items()}
        fields = from_scale(description, fields, given, zoom, origin)
        sample = NamedArrays(members=named(description.outputs, fields), stat=stat, id=None)
        stat.update(measured(operators.measures - set(stat), sample.members))
        apply(operators.after, sample)
        results = {str(name): tensor for name, tensor in sample.members.items()}
        return {name: on_card(description, name, tensor) for name, tensor in results.items()}

    def _measures(
        self,
        operators: Operators,
        arrays: "Mapping[str, NDArray[Any]]",
        statistics: Mapping[str, Any] | None,
    ) -> dict[Measure, MeasureValue]:
        tensors = self._description.inputs
        stat: dict[Measure, MeasureValue] = {}
        for name, array in arrays.items():
            channels = self._channels(name, statistics)
            if channels:
                axes = axis_ids(tensors[name])
                extent = array.shape[axes.index("channel")] if "channel" in axes else 1
                stat |= {
                    measure: fixed(measure, channels, axes, extent)
                    for measure in operators.measures
                    if str(measure.member_id) == name
                }
        return {**stat, **measured(operators.measures - set(stat), named(tensors, arrays))}

    def _channels(self, name: str, statistics: Mapping[str, Any] | None) -> Any:  # noqa: ANN401 # JSON
        """Return the statistics of an input's channels, as far as they are known."""
        known = statistics or {}
        is_first = name == next(iter(self._description.inputs))
        own = known if is_first else (known.get("inputs") or {}).get(name) or {}
        return own.get("channels")

    def _run(self, network: Network, sample: Sample) -> "dict[str, NDArray[Any]]":
        results = network(list(unnamed(self._description.inputs, sample.members).values()))
        names = list(self._description.outputs)
        if len(results) < len(names):
            raise ServingError(f"the network gave {len(results)} outputs for {names}")
        fields = dict(zip(names, results, strict=False))
        for name, field in fields.items():
            if field.ndim != len(axis_ids(self._description.outputs[name])):
                raise ServingError(f"the network gave {written(field.shape)}", tensor=name)
        return fields


def contribute(
    pipeline: Contributed,
    inputs: "Mapping[str, NDArray[Any]]",
    values: Mapping[str, object],
    statistics: Mapping[str, Any] | None,
) -> "Mapping[str, NDArray[Any]]":
    """Run a contributor's own class on a tile.

    Raises
    ------
    ServingError
        If it fails, with one line of the cause.
    """
    try:
        return pipeline.predict(inputs, values, statistics)
    except ServingError:
        raise
    except Exception as error:  # contributed code may raise anything
        raise ServingError(f"the pipeline failed: {cause_of(error)}") from error
