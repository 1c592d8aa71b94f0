"""`hmz-backend`: serve, and look after people, their use, models, Triton and the zoo."""

import sys

import typer
from sqlalchemy.exc import DBAPIError

from hmz_backend.check.database import MEND, reason
from hmz_backend.cli.audit import audit
from hmz_backend.cli.check import check
from hmz_backend.cli.db import db
from hmz_backend.cli.models import models
from hmz_backend.cli.serve import serve
from hmz_backend.cli.triton import triton
from hmz_backend.cli.usage import usage
from hmz_backend.cli.users import users
from hmz_backend.cli.zoo import zoo
from napari_hmz.cli.exits import show_error
from napari_hmz.errors import HmzError, SettingsInvalid

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
app.command()(serve)
app.command()(check)
app.command()(models)
app.command()(usage)
app.add_typer(zoo, name="zoo")
app.add_typer(db, name="db")
app.add_typer(users, name="users")
app.add_typer(audit, name="audit")
app.add_typer(triton, name="triton")


def main() -> None:
    """Run the command line; an expected error becomes a sentence, a remedy and exit code 1."""
    try:
        app()
    except HmzError as error:
        show_error(error, as_json=False)
        sys.exit(1)
    except DBAPIError as error:
        words = f"The database cannot be used: {reason(error)}."
        show_error(SettingsInvalid(words, remedy=MEND), as_json=False)
        sys.exit(1)
