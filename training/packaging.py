"""What the builders of the shipped packages have in common."""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from skimage.segmentation import find_boundaries
from skimage.transform import resize

from hmz_backend.zoo.datasets import fetch
from hmz_backend.zoo.draft import Draft, Section, write_package
from hmz_backend.zoo.evaluation import evaluate
from hmz_backend.zoo.package import load_package

MODELS = Path(__file__).resolve().parents[1] / "models"
CARDS = Path(__file__).with_name("cards")
REPOSITORY = "https://github.com/helmholtz-model-zoo/napari-hmz"
MNFINDER = {
    "text": "DiPeso et al., MNFinder: image-based identification and isolation of "
    "micronucleated cells (data of the Python package mnfinder, MIT licence)",
    "url": "https://github.com/hatch-lab/mnfinder",
}

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Ingredients:
    """What a builder needs: trained networks, and the root of the unpacked data packages."""

    networks: Path
    data: Path


def ingredients(what: str | None) -> Ingredients:
    """Read from the command line where the networks and the data are."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--networks", type=Path, required=True, help="folder of the ONNX files")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data packages")
    options = parser.parse_args()
    return Ingredients(options.networks, fetch(options.data))


def card_text(name: str) -> str:
    """Read the Markdown that stands on a model's card."""
    return (CARDS / f"{name}.md").read_text(encoding="utf-8")


def words(name: str, title: str, summary: str, *, tags: list[str], cite: list[Section]) -> Section:
    """Compose what a description says of the model as a whole."""
    return {
        "id": name,
        "version": "1.0.0",
        "name": title,
        "description": summary,
        "license": "Apache-2.0",
        "authors": [{"name": "The napari-hmz developers"}],
        "git_repo": REPOSITORY,
        "tags": tags,
        "cite": [
            *cite,
            {"text": "napari-hmz: the Helmholtz Model Zoo in napari", "url": REPOSITORY},
        ],
    }


def ship(name: str, draft: Draft) -> None:
    """Write a package to `models/` and say so."""
    print(write_package(draft, MODELS / name))


def ship_measured(name: str, draft: Draft, data: Path) -> None:
    """Write a package to `models/`, measure it, and write it again with the figures on its card."""
    folder = write_package(draft, MODELS / name)
    quality = evaluate(load_package(folder), data)
    figures = [entry.model_dump(mode="json") for entry in quality]
    ship(name, replace(draft, hmz={**draft.hmz, "quality": figures}))
    for entry in quality:
        print(f"{entry.metric:28} {entry.value:.3f}  {entry.protocol}")


def side_by_side(image: npt.NDArray[np.floating], right: npt.NDArray[np.floating]) -> Picture:
    """Paint two pictures (y, x) or (y, x, rgb), 0..1, next to each other (256, 512, rgb)."""
    halves = [np.repeat(half[..., None], 3, axis=2) if half.ndim == 2 else half  # colour axis
              for half in (image, right)]  # fmt: skip
    scaled = [resize(np.clip(half, 0, 1), (256, 256, 3), order=1) for half in halves]
    return np.asarray(np.round(np.concatenate(scaled, axis=1) * 255), dtype=np.uint8)


def outlined(
    image: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]
) -> npt.NDArray[np.floating]:
    """Paint the outlines of labels (y, x) over an image (y, x), 0..1, in colour (y, x, rgb)."""
    picture = np.repeat(np.clip(image, 0, 1)[..., None], 3, axis=2)
    picture[find_boundaries(labels, mode="inner")] = (1.0, 0.75, 0.1)
    return picture


def stretched(image: npt.NDArray[np.float32]) -> npt.NDArray[np.floating]:
    """Scale an image to 0..1 between its 1st and 99.8th percentile."""
    low, high = np.percentile(image, (1, 99.8))
    return np.asarray(np.clip((image - low) / max(high - low, 1e-6), 0, 1), dtype=np.float64)
