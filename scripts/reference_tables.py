"""Write the pages of docs/reference that are tables of what the code says."""

from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from hmz_backend.issuers import DesktopSettings, HubSettings, IssuerSettings, RoleRule
from hmz_backend.model_access import ModelAccess
from hmz_backend.settings import Settings
from hmz_backend.watch.watch import Watch
from napari_hmz.errors import error_classes
from napari_hmz.settings import ClientSettings

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"

ERRORS = """# Errors

Made from `napari_hmz/errors.py` by `python scripts/reference_tables.py`. The code is stable: a
program may compare it. In Python each is a class of `napari_hmz.errors`, the same one whether it
was raised here or by the backend.

| code | class | status | what it means | what to do |
|---|---|---|---|---|
"""

SETTINGS = """# Settings

Made by `python scripts/reference_tables.py`. An argument wins over the environment, and the
environment over the file.

## Client

In the file `client.toml` of the user's configuration folder (`HMZ_CONFIG` names another one), in
lower case and without the prefix.

| variable | default | what it does |
|---|---|---|
"""

BACKEND = """
## Backend

In the TOML file given by `hmz-backend serve --config FILE` (or `HMZ_BACKEND_CONFIG`), in lower
case and without the prefix.

| variable | default | what it does |
|---|---|---|
"""

METRICS = """# Metrics

Made from `hmz_backend/watch` by `python scripts/reference_tables.py`; answered at `/metrics` in
Prometheus' text format. [Watch a backend](../how-to/watch-a-backend.md) says who may read them. No
label names a person, a run or an image. Beside these there are those of the process on Linux
(`process_resident_memory_bytes`, `process_cpu_seconds_total`, `process_open_fds` and their like).

Each server process counts for itself, from its start on; Prometheus adds them up. A histogram has
the series `..._bucket`, `..._sum` and `..._count`.

| metric | kind | labels | what it says |
|---|---|---|---|
"""

SECTION = """
### {title}

{words}

| name | default | what it does |
|---|---|---|
"""

SECTIONS: dict[str, tuple[str, type[BaseModel]]] = {
    "`[[issuers]]`": (
        "One for each OpenID Connect issuer. In the environment: `HMZ_BACKEND_ISSUERS`, as JSON.",
        IssuerSettings,
    ),
    "`[issuers.desktop]`": (
        "What `/v1/sign-in` tells those who want to sign in from their own machine.",
        DesktopSettings,
    ),
    "`[jupyterhub]`": ("In the environment: `HMZ_BACKEND_JUPYTERHUB`, as JSON.", HubSettings),
    "`[issuers.roles.ROLE]`, `[jupyterhub.roles.ROLE]`": (
        "`ROLE` is `contributor`, `reviewer` or `admin`; everybody who signs in is `user`.",
        RoleRule,
    ),
    '`[model_access."ID"]`, `[model_access."ID/VERSION"]`': (
        "In the environment: `HMZ_BACKEND_MODEL_ACCESS`, as JSON.",
        ModelAccess,
    ),
}


def error_rows() -> list[str]:
    """Return one table row per error, by code."""
    return [
        f"| `{code}` | `{kind.__name__}` | {kind.status} "
        f"| {(kind.__doc__ or '').splitlines()[0]} | {kind.default_remedy} |"
        for code, kind in sorted(error_classes().items())
    ]


def metric_rows() -> list[str]:
    """Return one table row per metric, by name."""
    return [
        f"| `{each.name}` | {each.kind} | {', '.join(f'`{label}`' for label in each.labels)}"
        f" | {each.words} |"
        for each in sorted(Watch().instruments.described, key=lambda each: each.name)
    ]


def setting_rows(model: type[BaseModel], prefix: str) -> list[str]:
    """Return one table row per setting, in the order of the code."""
    return [
        f"| `{prefix + name.upper() if prefix else name}` | {_default(field)}"
        f" | {' '.join((field.description or '').split())} |"
        for name, field in model.model_fields.items()
    ]


def section(title: str) -> str:
    """Return the part of the page about one table of the file."""
    words, model = SECTIONS[title]
    head = SECTION.format(title=title, words=words)
    return head + "\n".join(setting_rows(model, "")) + "\n"


def _default(field: FieldInfo) -> str:
    if field.default_factory is dict:
        return "none"
    if field.is_required():
        return "must be given"
    if field.default_factory is not None:
        return "depends on the machine"
    if field.default in (None, "", ()):
        return "none"
    words = ", ".join(field.default) if isinstance(field.default, tuple) else field.default
    return f"`{words}`"


def pages() -> dict[str, str]:
    """Return the content of every page that is made here, by file name."""
    client = "\n".join(setting_rows(ClientSettings, "HMZ_"))
    backend = "\n".join(setting_rows(Settings, "HMZ_BACKEND_"))
    return {
        "errors.md": ERRORS + "\n".join(error_rows()) + "\n",
        "metrics.md": METRICS + "\n".join(metric_rows()) + "\n",
        "settings.md": f"{SETTINGS}{client}\n{BACKEND}{backend}\n{''.join(map(section, SECTIONS))}",
    }


if __name__ == "__main__":
    for name, text in pages().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")
