"""What the builders of the shipped packages have in common: where, by whom, under which licence."""

from pathlib import Path

from hmz_backend.zoo.draft import Draft, Section, write_package

MODELS = Path(__file__).resolve().parents[1] / "models"
CARDS = Path(__file__).with_name("cards")
REPOSITORY = "https://github.com/helmholtz-model-zoo/napari-hmz"


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
