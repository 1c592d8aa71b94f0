"""The recipe `deepbet`: brain extraction, from the weights in the installed package deepbet 1.0.2.

The package brings a TorchScript network; torch turns it into ONNX once, and is not needed after.
Checked on one T1 image of a head (181x217x181 voxels): the package's result and that of deepbet's
own command, which first finds a box around the brain, agree with a Dice of 0.99.
"""

import importlib.metadata
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmz_backend.zoo.digest import file_digest
from hmz_backend.zoo.draft import Draft, Section, same_size, space_axis, write_package
from napari_hmz.errors import PackageDigestWrong, PackageFileMissing, PackageInvalid

VERSION = "1.0.2"
WEIGHTS = "data/models/model.pt"
WEIGHTS_SHA256 = "de8ee7c69654d0dd3935dc4a5d84571d8ecf4637a6bfc01df399c4c2bc86e0fd"
"""A TorchScript file holds code: only the one that was looked at is loaded."""
REMEDY = f"pip install --no-deps deepbet=={VERSION} && pip install torch onnx"
OPSET = 17
BRAIN_LENGTH_PX = 213.0
"""What the network was trained at: a box around the brain, 1.2 brains long, in 256 voxels."""
HEAD_MEAN, HEAD_STD = 0.28, 0.26
"""Of a head between its percentiles; deepbet measures them in each box, which tiles cannot."""
INPUT_MEAN, INPUT_STD = 0.449, 0.226
"""What deepbet normalises to."""
Export = Callable[[Path], bytes]
"""A TorchScript file -> an ONNX network (b, 1, z, y, x) -> (b, 1, z, y, x), the probability."""


def build(folder: Path, *, weights: Path | None = None, export: Export | None = None) -> Path:
    """Make the package in `folder`, return it.

    Parameters
    ----------
    folder
        Replaced if it is an earlier package.
    weights
        The TorchScript file; by default that of the installed package, whose digest is checked.
    export
        What makes ONNX of it; by default torch.

    Raises
    ------
    PackageFileMissing
        If deepbet or torch is not installed; the remedy says how to.
    PackageInvalid, PackageDigestWrong
        If another version is installed, or its weights have changed.
    OutputExists
        If `folder` holds something else.
    """
    source = weights or installed_weights()
    network = (export or export_with_torch)(source)
    return write_package(draft(network), folder)


def installed_weights() -> Path:
    """Return the path of the weights in the installed package.

    Raises
    ------
    PackageFileMissing, PackageInvalid, PackageDigestWrong
        If it is not installed, of another version, or changed.
    """
    try:
        package = importlib.metadata.distribution("deepbet")
    except importlib.metadata.PackageNotFoundError as error:
        raise PackageFileMissing("deepbet is not installed.", remedy=f"Run: {REMEDY}") from error
    if package.version != VERSION:
        raise PackageInvalid(
            f"deepbet {package.version} is installed; the recipe knows {VERSION}.",
            remedy=f"Run: {REMEDY}",
        )
    path = Path(str(package.locate_file(WEIGHTS)))
    if not path.is_file():
        raise PackageFileMissing(f"deepbet has no {WEIGHTS}.", remedy=f"Run: {REMEDY}")
    if file_digest(path) != WEIGHTS_SHA256:
        raise PackageDigestWrong(f"{WEIGHTS} of deepbet is not the file of its release.")
    return path


def export_with_torch(weights: Path) -> bytes:
    """Return the network of a TorchScript file as ONNX, compared with torch on a drawn head.

    Raises
    ------
    PackageFileMissing
        If torch or onnx is not installed.
    PackageInvalid
        If the ONNX network computes something else.
    """
    from hmz_backend.zoo.recipes.torchscript import export_network

    try:
        network = export_network(weights, _network_input(drawn_head()), opset=OPSET)
    except ModuleNotFoundError as error:
        raise PackageFileMissing(
            f"{error.name} is needed to make ONNX of deepbet's weights.", remedy=f"Run: {REMEDY}"
        ) from error
    return turned(network)


def turned(network: bytes) -> bytes:
    """Wrap deepbet's network, whose axes run x, y, z and which gives two classes, for ours.

    Parameters
    ----------
    network
        ONNX: `image` (b, 1, x, y, z) -> `classes` (b, 2, x, y, z).

    Returns
    -------
    network
        ONNX: `turned` (b, 1, z, y, x) -> `brain` (b, 1, z, y, x), the probability.
    """
    import onnx
    from onnx import TensorProto, helper

    model = onnx.load_model_from_string(network)
    graph = model.graph
    order = [0, 1, 4, 3, 2]
    one = helper.make_tensor("second_class", TensorProto.INT64, [1], [1])
    graph.initializer.append(one)
    graph.node.insert(0, helper.make_node("Transpose", ["turned"], ["image"], perm=order))
    graph.node.append(helper.make_node("Gather", ["classes", "second_class"], ["class"], axis=1))
    graph.node.append(helper.make_node("Transpose", ["class"], ["brain"], perm=order))
    sizes = ["b", 1, "z", "y", "x"]
    del graph.input[:], graph.output[:]
    graph.input.append(helper.make_tensor_value_info("turned", TensorProto.FLOAT, sizes))
    graph.output.append(helper.make_tensor_value_info("brain", TensorProto.FLOAT, sizes))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def drawn_head() -> NDArray[np.uint8]:
    """Draw a head (z, y, x): skin, a dark gap, a brain of two tissues, some noise."""
    shape = (64, 96, 64)
    grids = np.meshgrid(*(np.linspace(-1, 1, extent) for extent in shape), indexing="ij")
    z, y, x = grids
    radius = np.sqrt((z / 0.9) ** 2 + (y / 0.92) ** 2 + (x / 0.85) ** 2)
    folds = 0.05 * np.sin(9 * z) * np.sin(11 * y) * np.cos(9 * x)
    image = np.zeros(shape)
    for reach, brightness in ((1.0, 190), (0.92, 25), (0.8, 110)):
        image[radius < reach] = brightness
    image[radius + folds < reach - 0.12] = 160
    noise = np.random.default_rng(2).normal(0, 5, shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def _network_input(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Normalise a head (z, y, x) as the package does, in the axes of the network."""
    low, high = np.percentile(image, (0.5, 99.5))
    scaled = np.clip((image.T - low) / (high - low), 0, 1)
    gain = INPUT_STD / HEAD_STD
    wanted = scaled * gain + (INPUT_MEAN - HEAD_MEAN * gain)
    return np.asarray(wanted[None, None], dtype=np.float32)


def draft(network: bytes) -> Draft:
    """Compose the package around an ONNX network."""
    head = drawn_head()
    return Draft(
        words=_words(),
        image=_image(),
        result=_brain(),
        weights=network,
        opset=OPSET,
        hmz=_extension(),
        test_input=head[None, None],
        readme=Path(__file__).with_suffix(".md").read_text(encoding="utf-8"),
        cover=_cover(head),
        tolerance={"mismatched_elements_per_million": 1000},
    )


def _words() -> Section:
    return {
        "id": "deepbet",
        "version": VERSION,
        "name": "Brain extraction with deepbet",
        "description": "Finds the brain in T1-weighted MRI of the head.",
        "license": "MIT",
        "authors": [{"name": "Lukas Fisch"}],
        "tags": ["mri", "brain", "semantic-segmentation", "3d"],
        "cite": [
            {
                "text": "Fisch et al., deepbet: fast brain extraction of T1-weighted MRI using "
                "convolutional neural networks, Computers in Biology and Medicine, 2024",
                "url": "https://github.com/wwu-mmll/deepbet",
            }
        ],
    }


def _image() -> Section:
    size = {"min": 32, "step": 32}
    gain = INPUT_STD / HEAD_STD
    scale = {"gain": round(gain, 6), "offset": round(INPUT_MEAN - HEAD_MEAN * gain, 6)}
    ranges = {"axes": ["channel", "z", "y", "x"], "min_percentile": 0.5, "max_percentile": 99.5}
    return {
        "id": "image",
        "axes": [
            {"type": "batch"},
            {"type": "channel", "channel_names": ["T1"]},
            *(space_axis(axis, size=dict(size)) for axis in "zyx"),
        ],
        "data": {"type": "float32"},
        "pad": {"mode": "edge"},
        "preprocessing": [
            {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}},
            {"id": "scale_range", "kwargs": ranges},
            {"id": "clip", "kwargs": {"min": 0.0, "max": 1.0}},
            {"id": "scale_linear", "kwargs": scale},
            {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}},
        ],
    }


def _brain() -> Section:
    return {
        "id": "brain",
        "axes": [
            {"type": "batch"},
            {"type": "channel", "channel_names": ["brain"]},
            *(same_size(axis) for axis in "zyx"),
        ],
        "data": {"type": "uint8", "values": [0, 1]},
        "postprocessing": [
            {"id": "binarize", "kwargs": {"threshold": 0.5}},
            {"id": "ensure_dtype", "kwargs": {"dtype": "uint8"}},
        ],
    }


def _extension() -> Section:
    classes = [
        {"value": 0, "name": "background", "color": "#000000"},
        {"value": 1, "name": "brain", "color": "#e8a33d"},
    ]
    return {
        "version": 1,
        "task": "semantic-segmentation",
        "inputs": {"image": {"kind": "image", "channels": ["T1"]}},
        "outputs": {
            "brain": {
                "kind": "semantic-labels",
                "dtype": "uint8",
                "classes": classes,
                "stitch": {"mode": "crop"},
            }
        },
        "normalise": {"scope": "volume", "measures": ["percentile 0.5", "percentile 99.5"]},
        "parameters": _parameters(),
        "bindings": {"threshold": {"tensor": "brain", "step": 0, "kwarg": "threshold"}},
        "rescale": {
            "parameter": "brain_length",
            "reference": BRAIN_LENGTH_PX,
            "axes": ["z", "y", "x"],
        },
        "tile": {
            "preferred": {"z": 256, "y": 256, "x": 256},
            "halo": {"z": 48, "y": 48, "x": 48},
            "memory_bytes_per_voxel": 200,
            "seconds_per_megavoxel": 3.0,
        },
        "test": {"parameters": {"brain_length": BRAIN_LENGTH_PX}},
        "training_data": "T1-weighted MRI of healthy adults, by the authors of deepbet.",
    }


def _parameters() -> Section:
    return {
        "brain_length": {
            "type": "number",
            "title": "Brain length",
            "description": "From front to back, in voxels; 175 fits voxels of 1 mm.",
            "default": 175.0,
            "minimum": 40,
            "maximum": 1000,
            "scale": "log",
            "unit": "voxels",
        },
        "threshold": {
            "type": "number",
            "title": "Threshold",
            "description": "Lower takes more.",
            "default": 0.5,
            "minimum": 0.01,
            "maximum": 0.99,
            "step": 0.01,
        },
    }


def _cover(head: NDArray[np.uint8]) -> NDArray[np.uint8]:
    planes = (head[head.shape[0] // 2], head[:, :, head.shape[2] // 2][::-1])
    height = max(plane.shape[0] for plane in planes)
    padded = [np.pad(plane, ((0, height - plane.shape[0]), (0, 0))) for plane in planes]
    picture = np.concatenate(padded, axis=1).repeat(3, axis=0).repeat(3, axis=1)
    return np.repeat(picture[..., None], 3, axis=2)
