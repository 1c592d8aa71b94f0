"""`hmz login`, `hmz logout`, `hmz whoami`: who the backend knows you as."""

import getpass
import sys
from typing import Annotated

import typer
from pydantic import SecretStr

from napari_hmz.auth import Bearer, CommandToken, SignIns
from napari_hmz.auth.issuer import is_safe
from napari_hmz.auth.kept import KeptCommand, KeptToken
from napari_hmz.calls import Calls
from napari_hmz.cli import options
from napari_hmz.cli.terminal import connect, say, signed_in
from napari_hmz.errors import NotFound, SettingsInvalid, SignInFailed
from napari_hmz.http import Http
from napari_hmz.settings import ClientSettings, load_settings
from napari_hmz.sign_in import Attempt, sign_out

Device = Annotated[bool, typer.Option("--device", help="Sign in on another device, with a code.")]
Token = Annotated[
    bool,
    typer.Option(
        "--token",
        help="Keep a token that you have: of the backend, or of its JupyterHub. It is asked for,"
        " or read from standard input.",
    ),
]
Command = Annotated[
    str | None,
    typer.Option(
        help="Use the tokens that a command prints, for example `oidc-token helmholtz`.",
        show_default=False,
    ),
]
Issuer = Annotated[
    str | None,
    typer.Option(
        help="Where to sign in; else the first that the backend names.", show_default=False
    ),
]


def login(
    url: options.Url = None,
    profile: options.Profile = None,
    *,
    device: Device = False,
    token: Token = False,
    command: Command = None,
    issuer: Issuer = None,
) -> None:
    """Sign in at a backend: in the browser, unless an option says otherwise.

    What renews the sign-in is kept in the keyring of this machine, and nowhere else.
    """
    if device + token + (command is not None) > 1:
        raise typer.BadParameter("--device, --token and --command exclude each other.")
    settings, backend = _backend(url, profile)
    if not is_safe(backend):
        raise SignInFailed(f"A token would travel to {backend} for everybody to read.")
    sign_ins = SignIns()
    if not sign_ins.lasting:
        raise SignInFailed(
            "This machine has no keyring, so a sign-in ends with the command.",
            remedy="`hmz run` and the others ask you themselves. In a script set HMZ_TOKEN or"
            " HMZ_TOKEN_COMMAND.",
        )
    if token or command is not None:
        _keep(backend, sign_ins, KeptCommand(command=command) if command else _pasted())
    else:
        signed_in(backend, sign_ins, Attempt(issuer=issuer or "", device=device))
        if sign_ins.passing(backend):
            say("The issuer gives nothing to renew it with, so this sign-in ends with the command.")
    if settings.token is not None or settings.token_command is not None:
        say("A token is set (HMZ_TOKEN, HMZ_TOKEN_COMMAND or the settings file) and goes first.")


def logout(url: options.Url = None, profile: options.Profile = None) -> None:
    """Sign out of a backend: the issuer takes the sign-in back, and this machine forgets it."""
    _, backend = _backend(url, profile)
    revoked = sign_out(backend, SignIns())
    say(f"Signed out of {backend}" + ("; the issuer has revoked the sign-in." if revoked else "."))


def whoami(
    url: options.Url = None, profile: options.Profile = None, json: options.Json = False
) -> None:
    """Show who the backend knows you as: name, groups, roles."""
    with connect(url, profile=profile) as client:
        me = client.me()
    if json:
        typer.echo(me.model_dump_json())
        return
    typer.echo(f"{me.name or me.subject} ({me.subject} of {me.issuer}) at {client.url}")
    for title, words in (("roles", me.roles), ("groups", me.groups)):
        typer.echo(f"{title}: {', '.join(words) or 'none'}")


def _backend(url: str | None, profile: str | None) -> tuple[ClientSettings, str]:
    settings = load_settings(url=url, profile=profile)
    if settings.url is None:
        raise SettingsInvalid(
            "The backend of this machine needs no sign-in.",
            remedy="Name another one: --url, --profile or HMZ_URL.",
        )
    return settings, settings.url.rstrip("/")


def _pasted() -> KeptToken:
    asked = sys.stdin.isatty()
    text = getpass.getpass("Token (it is not shown): ") if asked else sys.stdin.readline()
    if not text.strip():
        raise SignInFailed("No token was given.")
    return KeptToken(token=SecretStr(text.strip()))


def _keep(backend: str, sign_ins: SignIns, kept: KeptCommand | KeptToken) -> None:
    """Keep a token or a command once the backend has accepted it."""
    credential = CommandToken(kept.command) if isinstance(kept, KeptCommand) else Bearer(kept.token)
    with Http(backend, credential=credential) as http:
        calls = Calls(http)
        try:
            me = calls.me()
            name = me.name or me.subject
        except NotFound:  # a backend from before it told: then anything will do that needs a token
            calls.models()
            name = "its user"
    sign_ins.keep(backend, kept)
    say(f"Signed in at {backend} as {name}.")
