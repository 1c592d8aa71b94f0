"""Write a bioimage.io 0.5 model package, the same bytes every time."""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

MODELS = Path(__file__).resolve().parents[1] / "models"
CARDS = Path(__file__).with_name("cards")
REPOSITORY = "https://github.com/helmholtz-model-zoo/napari-hmz"
AUTHORS = [{"name": "The napari-hmz developers"}]

Section = dict[str, Any]


@dataclass(frozen=True)
class Draft:
    """A package that is to be written.

    Parameters
    ----------
    folder
        Where to; an existing package there is replaced.
    words
        The fields of the description that name no tensors, files or weights.
    inputs, outputs
        Tensor descriptions without their test tensors.
    weights
        The ONNX file, and the version of its operator set.
    hmz
        What stands under `config.hmz`.
    test_input
        The test tensor, with its batch axis.
    readme
        Markdown.
    extra
        Further files by their name in the package.
    """

    folder: Path
    words: Section
    inputs: Sequence[Section]
    outputs: Sequence[Section]
    weights: tuple[bytes, int]
    hmz: Section
    test_input: npt.NDArray[Any]
    readme: str
    cover: npt.NDArray[np.uint8]
    extra: Mapping[str, bytes] = field(default_factory=dict)
    tolerance: Sequence[Section] = ()


def card_text(name: str) -> str:
    """Read the Markdown that stands on a model's card."""
    return (CARDS / f"{name}.md").read_text(encoding="utf-8")


def digest(data: bytes) -> str:
    """Give the SHA-256 of `data` as hexadecimal text."""
    return hashlib.sha256(data).hexdigest()


def space_axis(name: str, **more: object) -> Section:
    """Describe one spatial axis of a tensor."""
    return {"type": "space", "id": name, **more}


def same_size(name: str, tensor: str = "image") -> Section:
    """Describe a spatial output axis that is as long as the input's."""
    return space_axis(name, size={"tensor_id": tensor, "axis_id": name})


def custom_step(source: str, code: bytes, factory: str, kwargs: Section) -> Section:
    """Describe a processing step whose Python source travels in the package."""
    return {
        "id": "custom",
        "callable": factory,
        "source": source,
        "sha256": digest(code),
        "kwargs": kwargs,
    }


def write_package(draft: Draft) -> Path:
    """Write the package, with the test output that `bioimageio.core` computes; return its folder."""
    if draft.folder.exists():
        shutil.rmtree(draft.folder)
    draft.folder.mkdir(parents=True)
    weights, _ = draft.weights
    (draft.folder / "weights.onnx").write_bytes(weights)
    (draft.folder / "README.md").write_text(draft.readme, encoding="utf-8")
    for name, data in draft.extra.items():
        (draft.folder / name).write_bytes(data)
    np.save(draft.folder / "test_input.npy", draft.test_input, allow_pickle=False)
    write_picture(draft.folder / "cover.png", draft.cover)
    write_description(draft, tested=False)
    output = reference_output(draft)
    np.save(draft.folder / "test_output.npy", output, allow_pickle=False)
    write_description(draft, tested=True)
    return draft.folder


def write_picture(path: Path, picture: npt.NDArray[np.uint8]) -> None:
    """Write a picture (y, x, rgb) as PNG."""
    from skimage.io import imsave

    imsave(path, picture, check_contrast=False)


def write_description(draft: Draft, *, tested: bool) -> None:
    """Write rdf.yaml; without the output's test tensor unless `tested`."""
    document = description(draft, tested=tested)
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
    (draft.folder / "rdf.yaml").write_text(text, encoding="utf-8")


def description(draft: Draft, *, tested: bool) -> Section:
    """Compose the description of a package whose files are written."""
    weights, opset = draft.weights
    return {
        "format_version": "0.5.12",
        "type": "model",
        **draft.words,
        "authors": AUTHORS,
        "documentation": file_entry(draft.folder, "README.md"),
        "covers": [file_entry(draft.folder, "cover.png")],
        "git_repo": REPOSITORY,
        "timestamp": "2026-01-01T00:00:00+00:00",  # fixed, so that a rebuild gives the same bytes
        "inputs": [_tensor(draft, entry, "test_input.npy") for entry in draft.inputs],
        "outputs": [
            _tensor(draft, entry, "test_output.npy") if tested else dict(entry)
            for entry in draft.outputs
        ],
        "weights": {
            "onnx": {
                "source": "weights.onnx",
                "sha256": digest(weights),
                "opset_version": opset,
            }
        },
        "config": {
            "bioimageio": {"reproducibility_tolerance": list(draft.tolerance)},
            "hmz": draft.hmz,
        },
    }


def file_entry(folder: Path, name: str) -> Section:
    """Name a file of the package with its digest."""
    return {"source": name, "sha256": digest((folder / name).read_bytes())}


def _tensor(draft: Draft, entry: Section, name: str) -> Section:
    return {
        "id": entry["id"],
        "description": entry.get("description", ""),
        "test_tensor": file_entry(draft.folder, name),
        **{key: value for key, value in entry.items() if key not in ("id", "description")},
    }


def reference_output(draft: Draft) -> npt.NDArray[Any]:
    """Compute the test output with bioimageio.core, which knows nothing of `config.hmz`."""
    from bioimageio.core import create_prediction_pipeline
    from bioimageio.core.digest_spec import create_sample_for_model
    from bioimageio.spec import InvalidDescr, ValidationContext, load_model_description

    with ValidationContext(perform_io_checks=False, log_warnings=False):
        model = load_model_description(draft.folder / "rdf.yaml", perform_io_checks=False)
    if isinstance(model, InvalidDescr):
        raise TypeError(model.validation_summary.display())
    sample = create_sample_for_model(model, inputs={model.inputs[0].id: draft.test_input})
    with create_prediction_pipeline(model) as pipeline:
        result = pipeline.predict_sample_without_blocking(sample)
    return np.asarray(result.members[model.outputs[0].id].to_numpy())
