"""`hmz-backend check`: whether a backend will work as it is set up, and what to do if not."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer

from hmz_backend.check.chosen import chosen_checks
from hmz_backend.check.finding import Finding, wrong
from hmz_backend.check.secrets import known_secrets
from hmz_backend.check.side_by_side import Found, look_at_all
from napari_hmz.errors import SettingsInvalid

MARKS: Final = {"ok": "ok     ", "warning": "warning", "wrong": "WRONG  "}
STRUCK: Final = "***"
LEAST_STRUCK: Final = 4  # letters: striking out shorter ones would make words unreadable

Config = Annotated[Path | None, typer.Option(help="TOML file with settings.")]
AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]


def check(config: Config = None, as_json: AsJson = False) -> None:
    """Look whether a backend will work as it is set up: settings, secrets, disk, database,
    addresses, issuers, hub, Triton, collector of traces, certificates, clock, models and groups.
    Exit code 1 if something is wrong.
    """  # noqa: D205 # the shell shows it as one paragraph
    found, strike = _looked(config)
    is_fine = all(each.level != "wrong" for findings in found.values() for each in findings)
    if as_json:
        told = [
            {"subject": subject, **{key: strike(text) for key, text in asdict(each).items()}}
            for subject, findings in found.items()
            for each in findings
        ]
        typer.echo(json.dumps({"ok": is_fine, "findings": told}))
    else:
        for subject, findings in found.items():
            _show(subject, findings, strike)
    if not is_fine:
        raise typer.Exit(1)


def _looked(config: Path | None) -> tuple[Found, Callable[[str], str]]:
    """Return what was found, and what takes secrets out of it."""
    try:
        checks, settings = chosen_checks(config)
    except SettingsInvalid as error:
        return {"settings": [wrong(error.detail, error.remedy)]}, str
    secrets = known_secrets(settings) if settings else []
    return look_at_all(checks), lambda text: _without(text, secrets)


def _without(text: str, secrets: Sequence[str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= LEAST_STRUCK:
            text = text.replace(secret, STRUCK)
    return text


def _show(subject: str, findings: Sequence[Finding], strike: Callable[[str], str]) -> None:
    for each in findings:
        typer.echo(f"{MARKS[each.level]} {subject}: {strike(each.words)}")
        if each.remedy:
            typer.echo(f"        -> {strike(each.remedy)}")
