"""Build the packages `components` and `components-2d`: threshold and connected components."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from hmz_backend.zoo.draft import Draft, Section, custom_step, same_size, space_axis
from training.packaging import card_text, ship, words

OPSET = 17
STEP = Path(__file__).with_name("components.py")


def identity_network(axes: str) -> bytes:
    """Make an ONNX network that gives back its input (b, axes...)."""
    sizes = ["b", *axes]
    node = helper.make_node("Identity", ["image"], ["same"])
    graph = helper.make_graph(
        [node],
        "identity",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, sizes)],
        [helper.make_tensor_value_info("same", TensorProto.FLOAT, sizes)],
    )
    # An old file format on purpose: the onnxruntime beside a Triton may be older than ours.
    model = helper.make_model(
        graph, ir_version=8, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="hmz"
    )
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def synthetic(shape: tuple[int, ...], seed: int, objects: int) -> npt.NDArray[np.uint16]:
    """Draw bright balls on a dark, noisy ground (spatial axes)."""
    random = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*(np.arange(size) for size in shape), indexing="ij"))
    image = random.normal(200, 12, shape)
    for _ in range(objects):
        centre = random.uniform(0, 1, len(shape)) * np.array(shape)
        distance = np.sqrt(((grid - centre.reshape(-1, *[1] * len(shape))) ** 2).sum(axis=0))
        image += random.uniform(900, 2500) / (1 + np.exp(2 * (distance - random.uniform(2.5, 6))))
    return np.clip(image, 0, 65535).astype(np.uint16)


def cover() -> npt.NDArray[np.uint8]:
    """Paint synthetic discs, grey on the left and labelled on the right (256, 512, rgb)."""
    from skimage.color import label2rgb
    from skimage.measure import label
    from skimage.transform import resize

    image = synthetic((64, 64), seed=3, objects=14).astype(float) / 3000
    coloured = label2rgb(label(image > 0.25), bg_label=0)
    both = np.concatenate([np.repeat(np.clip(image, 0, 1)[..., None], 3, axis=2), coloured], axis=1)
    return np.asarray(resize(both, (256, 512), order=0) * 255, dtype=np.uint8)


def parameters() -> Section:
    """Describe what a user may choose."""
    return {
        "threshold": {
            "type": "number",
            "title": "Threshold",
            "description": "Voxels brighter than this are foreground. "
            "Empty: Otsu's threshold of the whole volume.",
            "optional": True,
            "default": None,
        },
        "connectivity": {
            "type": "string",
            "title": "Connectivity",
            "description": "Which voxels touch.",
            "default": "faces",
            "choices": [
                {"value": "faces", "label": "faces only"},
                {"value": "full", "label": "faces, edges and corners"},
            ],
        },
    }


def extension(axes: str) -> Section:
    """Compose `config.hmz`."""
    extent = {2: 1024, 3: 128}[len(axes)]
    step = {"tensor": "labels", "step": 0}
    return {
        "version": 1,
        "task": "instance-segmentation",
        "inputs": {
            "image": {
                "kind": "image",
                "dtypes": ["uint8", "uint16", "int16", "float32"],
                "pad": "edge",
            }
        },
        "outputs": {
            "labels": {
                "kind": "instance-labels",
                "dtype": "uint32",
                "stitch": {"mode": "merge-labels", "rule": "overlap"},
            }
        },
        "parameters": parameters(),
        "bindings": {
            "threshold": {**step, "kwarg": "threshold"},
            "connectivity": {**step, "kwarg": "connectivity"},
        },
        "statistics_bindings": {"otsu": {**step, "kwarg": "otsu"}},
        "tile": {
            "preferred": dict.fromkeys(axes, extent),
            "halo": dict.fromkeys(axes, 1),
            "memory_bytes_per_voxel": 48,
            "seconds_per_megavoxel": 0.12,
            "skip_empty": True,
        },
        "training_data": "None: nothing is learned.",
        "quality": [
            {
                "metric": "labels unequal to scipy.ndimage.label of the whole",
                "value": 0,
                "dataset": "random balls and worms, and a confocal volume of nuclei",
                "protocol": "one threshold; several block sizes, halos and orders of arrival",
            }
        ],
    }


def draft(name: str, axes: str) -> Draft:
    """Compose the package for `axes`, either yx or zyx."""
    code = STEP.read_bytes()
    shape = {2: (96, 112), 3: (20, 44, 40)}[len(axes)]
    kwargs: Section = {"connectivity": "faces"}
    return Draft(
        words=words(
            name,
            f"Connected components {len(axes)}D",
            "Threshold and connected components: labels bright objects, no network.",
            tags=["segmentation", "instance-segmentation", "threshold", f"{len(axes)}d"],
            cite=[],
        ),
        image={
            "id": "image",
            "axes": [
                {"type": "batch"},
                *(space_axis(axis, size={"min": 1, "step": 1}) for axis in axes),
            ],
            "data": {"type": "float32"},
            "pad": {"mode": "edge"},
            "preprocessing": [{"id": "ensure_dtype", "kwargs": {"dtype": "float32"}}],
        },
        result={
            "id": "labels",
            "axes": [{"type": "batch"}, *(same_size(axis) for axis in axes)],
            "data": {"type": "uint32"},
            "postprocessing": [
                custom_step("components.py", code, "label_components", kwargs),
                {"id": "ensure_dtype", "kwargs": {"dtype": "uint32"}},
            ],
        },
        weights=identity_network(axes),
        opset=OPSET,
        hmz=extension(axes),
        test_input=synthetic(shape, seed=7, objects=16)[None],
        readme=card_text("components"),
        cover=cover(),
        steps={"components.py": code},
    )


def main() -> None:
    """Build both packages."""
    for name, axes in (("components", "zyx"), ("components-2d", "yx")):
        ship(name, draft(name, axes))


if __name__ == "__main__":
    main()
