"""Write a bioimage.io 0.5 model package, the same bytes every time.

Used by recipes (`hmz-backend zoo build`) and by the builders of the shipped packages.
"""

import hashlib
import io
import shutil
import uuid
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ruyaml import YAML

from hmz_backend.serving import ServedModel
from hmz_backend.serving.description import DESCRIPTION_FILE, read_description
from napari_hmz.errors import OutputExists

FORMAT_VERSION = "0.5.12"
WEIGHTS_FILE = "weights.onnx"
INPUT_FILE = "test_input.npy"
OUTPUT_FILE = "test_output.npy"

Section = dict[str, Any]


@dataclass(frozen=True)
class Draft:
    """A package with one input and one output, before it is written.

    Parameters
    ----------
    words
        The fields of the description that name no tensors, files or weights.
    image, result
        Description of the input and of the output, without their test tensors.
    weights
        The ONNX file.
    opset
        The version of its operator set.
    hmz
        What stands under `config.hmz`.
    test_input
        The test tensor, with its batch axis.
    readme
        Markdown.
    cover
        A picture (y, x, rgb), at most twice as wide as high.
    steps
        Python files of custom processing steps, by their name in the package.
    tolerance
        How far a result may be from the test output (`reproducibility_tolerance`).
    """

    words: Section
    image: Section
    result: Section
    weights: bytes
    opset: int
    hmz: Section
    test_input: npt.NDArray[Any]
    readme: str
    cover: npt.NDArray[np.uint8]
    steps: Mapping[str, bytes] = field(default_factory=dict)
    tolerance: Section = field(default_factory=dict)


def space_axis(name: str, **more: object) -> Section:
    """Describe one spatial axis of a tensor."""
    return {"type": "space", "id": name, **more}


def same_size(name: str, tensor: str = "image") -> Section:
    """Describe a spatial output axis that is as long as the input's."""
    return space_axis(name, size={"tensor_id": tensor, "axis_id": name})


def custom_step(source: str, code: bytes, factory: str, kwargs: Section) -> Section:
    """Describe a processing step whose Python source travels in the package."""
    digest = hashlib.sha256(code).hexdigest()
    return {
        "id": "custom",
        "callable": factory,
        "source": source,
        "sha256": digest,
        "kwargs": kwargs,
    }


def write_package(draft: Draft, folder: Path) -> Path:
    """Write a package with its test output, and return its folder.

    An earlier package in `folder` is replaced once the new one is complete.

    Raises
    ------
    OutputExists
        If `folder` holds something else.
    """
    if folder.exists() and not (folder / DESCRIPTION_FILE).is_file():
        raise OutputExists(f"{folder} is there already and is no model package.")
    partial = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}")
    partial.mkdir(parents=True)
    try:
        _fill(draft, partial)
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _fill(draft: Draft, folder: Path) -> None:
    (folder / WEIGHTS_FILE).write_bytes(draft.weights)
    (folder / "README.md").write_text(draft.readme, encoding="utf-8")
    for name, code in draft.steps.items():
        (folder / name).write_bytes(code)
    _write_picture(folder / "cover.png", draft.cover)
    np.save(folder / INPUT_FILE, draft.test_input, allow_pickle=False)
    _write_description(draft, folder)
    compute = own_output if "pipeline" in draft.hmz else reference_output
    np.save(folder / OUTPUT_FILE, compute(folder, draft.test_input), allow_pickle=False)
    _write_description(draft, folder)


def _write_picture(path: Path, picture: npt.NDArray[np.uint8]) -> None:
    from skimage.io import imsave

    imsave(path, picture, check_contrast=False)


def _write_description(draft: Draft, folder: Path) -> None:
    yaml = YAML()
    yaml.width = 100  # type: ignore[assignment] # ruyaml infers the type from the default, None
    yaml.default_flow_style = False
    text = io.StringIO()
    yaml.dump(_description(draft, folder), text)
    (folder / DESCRIPTION_FILE).write_text(text.getvalue(), encoding="utf-8")


def _description(draft: Draft, folder: Path) -> Section:
    tolerances = [draft.tolerance] if draft.tolerance else []
    return {
        "format_version": FORMAT_VERSION,
        "type": "model",
        **draft.words,
        "documentation": _file(folder, "README.md"),
        "covers": [_file(folder, "cover.png")],
        "timestamp": "2026-01-01T00:00:00+00:00",  # fixed: a rebuild must give the same bytes
        "inputs": [_tensor(draft.image, folder, INPUT_FILE)],
        "outputs": [_tensor(draft.result, folder, OUTPUT_FILE)],
        "weights": {"onnx": {**_file(folder, WEIGHTS_FILE), "opset_version": draft.opset}},
        "config": {
            "bioimageio": {"reproducibility_tolerance": tolerances},
            "hmz": draft.hmz,
        },
    }


def _file(folder: Path, name: str) -> Section:
    digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    return {"source": name, "sha256": digest}


def _tensor(entry: Section, folder: Path, name: str) -> Section:
    # The output's test tensor is missing until the reference has computed it.
    tested = {"test_tensor": _file(folder, name)} if (folder / name).exists() else {}
    return {"id": entry["id"], **tested, **entry}


def own_output(folder: Path, test_input: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Compute the output of a package with its own class, which `bioimageio.core` does not know.

    Parameters
    ----------
    folder
        The package.
    test_input
        The input, with its batch axis.
    """
    description, model = read_description(folder), ServedModel.load(folder)
    name, output = next(iter(description.inputs)), next(iter(description.outputs))
    return np.stack([model.run_tile({name: item}, {}, None)[output] for item in test_input])


def reference_output(folder: Path, test_input: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Compute the output of a package with `bioimageio.core`, which knows no `config.hmz`.

    Parameters
    ----------
    folder
        The package.
    test_input
        The input, with its batch axis.
    """
    from bioimageio.core import create_prediction_pipeline
    from bioimageio.core.digest_spec import create_sample_for_model

    model = read_description(folder).model
    sample = create_sample_for_model(model, inputs={model.inputs[0].id: test_input})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves the files of steps open
        with create_prediction_pipeline(model) as pipeline:
            result = pipeline.predict_sample_without_blocking(sample)
    return np.asarray(result.members[model.outputs[0].id].to_numpy())
