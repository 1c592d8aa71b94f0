"""How the command line ends, and how it shows an error."""

import typer

from napari_hmz.errors import HmzError, LocalBackendFailed, UnavailableError
from napari_hmz.schema import to_problem

FAILED = 1
UNAVAILABLE = 3
INTERRUPTED = 130


def exit_code(error: HmzError) -> int:
    """Return the exit code for an error."""
    return UNAVAILABLE if isinstance(error, UnavailableError | LocalBackendFailed) else FAILED


def show_error(error: HmzError, *, as_json: bool) -> None:
    """Write what happened and what to do next to standard error; no traceback."""
    if as_json:
        typer.echo(to_problem(error).model_dump_json(), err=True)
        return
    where = f", request {error.request_id}" if error.request_id else ""
    typer.echo(f"error: {error.detail} [{error.code}{where}]", err=True)
    if error.remedy:
        typer.echo(error.remedy, err=True)
