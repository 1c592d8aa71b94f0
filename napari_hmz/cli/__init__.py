"""`hmz`: the model zoo from a shell.

Exit codes: 0 done; 1 the request, the image or the run failed; 2 the command line is wrong;
3 a part of the service is not available; 130 interrupted (the run goes on, `hmz attach` returns).
"""

import sys

import typer

from napari_hmz.cli.attach import attach
from napari_hmz.cli.batch import batch
from napari_hmz.cli.cancel import cancel
from napari_hmz.cli.demo import demo
from napari_hmz.cli.exits import exit_code, show_error
from napari_hmz.cli.login import login, logout, whoami
from napari_hmz.cli.measure import measure
from napari_hmz.cli.models import models
from napari_hmz.cli.plan import plan
from napari_hmz.cli.remove import remove
from napari_hmz.cli.run import run
from napari_hmz.cli.runs import runs
from napari_hmz.cli.script import script
from napari_hmz.cli.share import share
from napari_hmz.cli.show import show
from napari_hmz.cli.tokens import tokens
from napari_hmz.cli.usage import usage
from napari_hmz.errors import HmzError

app = typer.Typer(no_args_is_help=True, help=__doc__, pretty_exceptions_show_locals=False)
for command in (
    models,
    show,
    plan,
    run,
    batch,
    runs,
    attach,
    cancel,
    remove,
    share,
    script,
    measure,
    demo,
):
    app.command()(command)
for about_me in (login, logout, whoami, usage):
    app.command()(about_me)
app.add_typer(tokens, name="tokens")


def main() -> None:
    """Run the command line; an expected error becomes a sentence, a remedy and a code."""
    try:
        app()
    except HmzError as error:
        show_error(error, as_json="--json" in sys.argv[1:])
        sys.exit(exit_code(error))
