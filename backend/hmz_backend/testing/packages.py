"""Write tiny model packages: real ones, valid by `bioimageio.spec`, small enough for every test.

Needs the package `onnx` (group `test`), which writes the networks.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

OPSET = 17
IR_VERSION = 8
"""An ONNX file version that every onnxruntime in use reads."""

Document = dict[str, Any]


@dataclass(frozen=True)
class TinyPackage:
    """What goes into a tiny model package; `write` makes the folder.

    Parameters
    ----------
    id, version
        As on the card.
    axes
        Axis letters of input `image` and of the output, without batch: some of `c z y x`.
    channels
        Input channels, if there is an axis `c`; the network keeps their number.
    output
        Name of the output.
    more_inputs
        Names of further inputs, with the axes of `image`; the network has one only.
    rows
        Names of the columns, if the output is rows of a table; the network must make them.
    output_dtype
        Of the network's output after post-processing.
    size
        `{"min": .., "step": ..}` or one extent, for each spatial axis.
    pad
        Pad mode of the input, if not the default.
    pre, post
        Processing steps as in `rdf.yaml`.
    network
        `identity`, or `mean` (a 3x3 mean, 2-D with channels only).
    hmz
        `config.hmz`.
    files
        Further files by name, for custom steps; `SHA256:name` in a step stands for the digest.
    """

    id: str = "tiny"
    version: str = "1.0.0"
    axes: str = "cyx"
    channels: int = 1
    output: str = "result"
    more_inputs: Sequence[str] = ()
    rows: Sequence[str] = ()
    output_dtype: str = "float32"
    size: Any = field(default_factory=lambda: {"min": 1, "step": 1})
    pad: Document | None = None
    pre: Sequence[Document] = ()
    post: Sequence[Document] = ()
    network: str = "identity"
    hmz: Document = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        """Write the package into `folder`, and return it."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in self.files.items():
            (folder / name).write_text(text)
        (folder / "README.md").write_text(f"# {self.id}\n\nA tiny model for tests.\n")
        write_onnx(folder / "weights.onnx", self.network, rank=len(self.axes) + 1)
        shape = [1, *(self.channels if axis == "c" else 16 for axis in self.axes)]
        for name in ("test_input.npy", "test_output.npy"):
            np.save(folder / name, np.zeros(shape, dtype=np.float32), allow_pickle=False)
        text = yaml.safe_dump(_with_digests(self.document(folder), folder), sort_keys=False)
        (folder / "rdf.yaml").write_text(text)
        return folder

    def document(self, folder: Path) -> Document:
        """Return `rdf.yaml` as a mapping."""
        return {
            "type": "model",
            "format_version": "0.5.4",
            "id": self.id,
            "name": f"Tiny {self.id}",
            "version": self.version,
            "description": "A tiny model for tests.",
            "documentation": "README.md",
            "license": "Apache-2.0",
            "timestamp": "2026-01-01T00:00:00+00:00",
            "authors": [{"name": "The napari-hmz developers"}],
            "cite": [{"text": "none", "url": "https://example.org"}],
            "inputs": [self._input(), *({**self._input(), "id": n} for n in self.more_inputs)],
            "outputs": [self._output()],
            "weights": {
                "onnx": {
                    "source": "weights.onnx",
                    "sha256": sha256(folder / "weights.onnx"),
                    "opset_version": OPSET,
                }
            },
            "config": {"hmz": {"version": 1, **self.hmz}} if self.hmz else {},
        }

    def _input(self) -> Document:
        tensor: Document = {
            "id": "image",
            "axes": [{"type": "batch"}, *(self._axis(axis, self.size) for axis in self.axes)],
            "data": {"type": "float32"},
            "test_tensor": {"source": "test_input.npy"},
            "preprocessing": list(self.pre),
        }
        return {**tensor, **({"pad": self.pad} if self.pad else {})}

    def _output(self) -> Document:
        axes = [self._axis(axis, {"tensor_id": "image", "axis_id": axis}) for axis in self.axes]
        if self.rows:
            columns = {"type": "channel", "channel_names": list(self.rows)}
            axes = [{"type": "index", "size": {"min": 1}}, columns]
        return {
            "id": self.output,
            "axes": [{"type": "batch"}, *axes],
            "data": {"type": self.output_dtype},
            "test_tensor": {"source": "test_output.npy"},
            "postprocessing": list(self.post),
        }

    def _axis(self, axis: str, size: Any) -> Document:  # noqa: ANN401 # a YAML value
        if axis == "c":
            return {
                "type": "channel",
                "channel_names": [f"channel{index}" for index in range(self.channels)],
            }
        return {"type": "space", "id": axis, "size": size}


def sha256(path: Path) -> str:
    """Return the hex digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _with_digests(node: Any, folder: Path) -> Any:  # noqa: ANN401 # any node of a YAML tree
    if isinstance(node, dict):
        return {key: _with_digests(value, folder) for key, value in node.items()}
    if isinstance(node, list):
        return [_with_digests(value, folder) for value in node]
    if isinstance(node, str) and node.startswith("SHA256:"):
        return sha256(folder / node.removeprefix("SHA256:"))
    return node


def write_onnx(path: Path, kind: str, *, rank: int) -> None:
    """Write a network of `rank` axes, all of free extent, float32 to float32."""
    from onnx import TensorProto, helper, numpy_helper, save

    extents = [f"extent{axis}" for axis in range(rank)]
    weights: list[NDArray[np.float32]] = []
    if kind == "identity":
        node = helper.make_node("Identity", ["input"], ["output"])
    else:
        weights = [np.full((1, 1, 3, 3), 1 / 9, dtype=np.float32)]
        node = helper.make_node("Conv", ["input", "kernel"], ["output"], pads=[1, 1, 1, 1])
    graph = helper.make_graph(
        [node],
        kind,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, extents)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, extents)],
        initializer=[numpy_helper.from_array(kernel, "kernel") for kernel in weights],
    )
    opset = [helper.make_opsetid("", OPSET)]
    save(helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION), str(path))
