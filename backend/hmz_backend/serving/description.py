"""Read `rdf.yaml`: the bioimage.io description and, beside it, `config.hmz`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .axes import LABEL_KINDS, ROWS, axis_ids, card_axes
from .errors import MAXIMUM_CAUSE, PackageBroken, cause_of
from .reference import TensorDescription

DESCRIPTION_FILE = "rdf.yaml"
DECODERS = ("stardist_postprocessing", "cellpose_flow_dynamics")
"""Post-processing whose result is instance labels."""


@dataclass(frozen=True)
class Description:
    """One model as its package describes it.

    Parameters
    ----------
    folder
        Where the package's files are.
    model
        The bioimage.io model description (`bioimageio.spec`, format 0.5).
    config
        `config.hmz` as read; empty if the package has none.
    """

    folder: Path
    model: Any
    config: Mapping[str, Any]

    @property
    def inputs(self) -> "dict[str, TensorDescription]":
        """Input name to bioimage.io tensor description, in the network's order."""
        return {str(tensor.id): tensor for tensor in self.model.inputs}

    @property
    def outputs(self) -> "dict[str, TensorDescription]":
        """Output name to bioimage.io tensor description, in the network's order."""
        return {str(tensor.id): tensor for tensor in self.model.outputs}

    def is_labels(self, output: str) -> bool:
        """Say whether an output is labels: by `config.hmz`, else by its post-processing."""
        declared = self.config.get("outputs", {}).get(output, {}).get("kind")
        if declared:
            return declared in LABEL_KINDS
        steps = self.outputs[output].postprocessing
        return any(str(step.id) in DECODERS for step in steps)

    def columns(self, output: str) -> tuple[str, ...] | None:
        """Return the names of an output's columns if it is rows of a table, else none.

        Raises
        ------
        PackageBroken
            If it has other axes than rows and columns.
        """
        axes = {str(axis.id): axis for axis in self.outputs[output].axes}
        if "index" not in axes:
            return None
        if set(axes) - {"batch"} != set(ROWS):
            raise PackageBroken("rows have the axes 'index' and 'channel'", tensor=output)
        return tuple(str(name) for name in axes["channel"].channel_names)

    def input_axes(self, name: str) -> tuple[str, ...]:
        """Return the card's axes of an input."""
        return card_axes(axis_ids(self.inputs[name]))

    def output_axes(self, name: str) -> tuple[str, ...]:
        """Return the axes in which an output is given: the card's; of a table, rows and columns."""
        if self.columns(name) is not None:
            return ROWS
        return card_axes(axis_ids(self.outputs[name]), labels=self.is_labels(name))

    def output_dtype(self, name: str) -> str:
        """Return the dtype that an output is given in: uint32 for instance labels."""
        declared = self.config.get("outputs", {}).get(name, {}).get("dtype")
        if declared:
            return str(declared)
        return "uint32" if self.is_labels(name) else str(self.outputs[name].dtype)


def read_description(folder: Path) -> Description:
    """Read the description of the package in `folder`.

    Raises
    ------
    PackageBroken
        If there is none, or `bioimageio.spec` cannot read it as a model of format 0.5.
    """
    from bioimageio.spec import InvalidDescr, ValidationContext, build_description
    from bioimageio.spec.model import v0_5
    from ruyaml import YAML

    path = folder / DESCRIPTION_FILE
    if not path.is_file():
        raise PackageBroken(f"{folder.name} has no {DESCRIPTION_FILE}")
    # Not `load_model_description`, which leaves the file open. Without input/output checks nothing
    # is fetched; where the package is must be known for the files of custom steps.
    context = ValidationContext(
        root=folder, file_name=DESCRIPTION_FILE, perform_io_checks=False, log_warnings=False
    )
    try:
        content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
        model = build_description(content, context=context)
    except Exception as error:  # the reader raises many kinds for one reason: it is invalid
        raise PackageBroken(f"{DESCRIPTION_FILE} is not valid: {cause_of(error)}") from error
    if isinstance(model, InvalidDescr):
        raise PackageBroken(f"{DESCRIPTION_FILE} is not valid: {_reason(model.get_reason())}")
    if not isinstance(model, v0_5.ModelDescr):
        raise PackageBroken("only bioimage.io models of format 0.5 can be served")
    extra = model.config.model_extra or {}
    return Description(folder=folder, model=model, config=dict(extra.get("hmz") or {}))


def _reason(text: str | None) -> str:
    return " ".join((text or "no reason given").split())[:MAXIMUM_CAUSE]
