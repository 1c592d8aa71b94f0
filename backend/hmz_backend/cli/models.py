"""`hmz-backend models`: every version of every model, who may see it, and how it is."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from hmz_backend.access.models import ModelRules
from hmz_backend.check.deployed import Health, ask_servers
from hmz_backend.cli.database_work import Config
from hmz_backend.model_access import ModelAccess
from hmz_backend.settings import load_settings
from hmz_backend.zoo.catalogue import Zoo
from hmz_backend.zoo.shipped import shipped_models
from napari_hmz.cli.tables import show_table
from napari_hmz.errors import PackageError
from napari_hmz.schema import AccessSpec, ModelCard

AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]
Entry = tuple[ModelCard, ModelAccess | AccessSpec, Sequence[Health]]


def models(config: Config = None, as_json: AsJson = False) -> None:
    """List all models with their versions, who may see and use them, and on which engine they are.

    Packages that are refused are named on standard error, with the reason.
    """
    settings = load_settings(config)
    zoo = Zoo([shipped_models(), *settings.models])
    rules, deployed = ModelRules(settings.model_access), ask_servers(settings)
    entries = [(card, rules.access(card), deployed.of(card)) for card in zoo.cards()]
    if as_json:
        typer.echo(json.dumps([_document(*entry) for entry in entries]))
    else:
        show_table(_table(entries), otherwise="There are no models.")
    for folder, fault in zoo.faults().items():
        typer.echo(_refused(folder, fault), err=True)


def _table(entries: Sequence[Entry]) -> Table:
    table = Table(box=None)
    for name in ("model", "version", "task", "who may see it", "images", "engine", "health"):
        table.add_column(name, no_wrap=name in ("model", "version"))
    for card, said, healths in entries:
        images = ", ".join(said.data_classes) or "any"
        told = (card.id, card.version, card.task, _who(said), images)
        engines = "\n".join(each.engine for each in healths)
        words = "\n".join(each.words if each.is_fine else f"! {each.words}" for each in healths)
        table.add_row(*map(escape, (*told, engines, words)))
    return table


def _document(
    card: ModelCard, said: ModelAccess | AccessSpec, healths: Sequence[Health]
) -> dict[str, object]:
    return {
        "id": card.id,
        "version": card.version,
        "task": card.task,
        "public": said.public,
        "groups": said.groups,
        "data_classes": said.data_classes,
        "engines": [asdict(health) for health in healths],
    }


def _who(said: ModelAccess | AccessSpec) -> str:
    if said.public:
        return "everybody"
    return "\n".join(said.groups) or "reviewers and admins"


def _refused(folder: Path, fault: PackageError) -> str:
    return f"refused {folder}: {fault.detail}"
