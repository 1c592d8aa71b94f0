"""From the axes of a bioimage.io tensor to those of a model card, by name.

The rule, for whoever makes the card: the batch axis is dropped, `time` is `t`, `channel` is `c`. A
labels output also loses its channel axis, and its first channel is what counts: bioimage.io's
`CustomProcessing` must keep the shape, so a decoder of k fields gives k channels of which the first
holds the labels.

An output with an axis `index` is rows of a table: points, boxes, measurements. The names of its
channels are those of the columns, and it has as many rows as the model finds.
"""

from collections.abc import Sequence

from .errors import PackageBroken
from .reference import TensorDescription

CARD_AXIS = {"time": "t", "channel": "c", "z": "z", "y": "y", "x": "x"}
LABEL_KINDS = ("instance-labels", "semantic-labels")
SPACE = ("z", "y", "x")
ROWS = ("index", "channel")
"""The axes of a table's rows, in the order in which they are handed on."""


def axis_ids(tensor: TensorDescription) -> tuple[str, ...]:
    """Return the axis ids of a bioimage.io tensor description, outermost first."""
    return tuple(str(axis.id) for axis in tensor.axes)


def card_axes(ids: Sequence[str], *, labels: bool = False) -> tuple[str, ...]:
    """Return the axes of the model card for a tensor with these bioimage.io axis ids.

    Parameters
    ----------
    ids
        For example `("batch", "channel", "y", "x")`.
    labels
        Whether the tensor is an output of labels, which has no channel axis on the card.

    Raises
    ------
    PackageBroken
        If an axis is of a kind that no card can name (`index`).
    """
    left_out = {"batch", "channel"} if labels else {"batch"}
    kept = [name for name in ids if name not in left_out]
    unknown = [name for name in kept if name not in CARD_AXIS]
    if unknown:
        raise PackageBroken(f"axis '{unknown[0]}' is not one of {sorted(CARD_AXIS)}")
    return tuple(CARD_AXIS[name] for name in kept)
