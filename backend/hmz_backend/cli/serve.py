"""`hmz-backend serve`: read the settings, choose every implementation, listen, stop gracefully."""

import os
import secrets
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from hmz_backend.app import build_app
from hmz_backend.cli.chosen_engine import choose_engine
from hmz_backend.cli.chosen_identities import choose_identities
from hmz_backend.cli.chosen_traces import choose_traces
from hmz_backend.database.connection import open_database
from hmz_backend.issuers import is_loopback
from hmz_backend.server import (
    address_of,
    keep_memory,
    leave_alone_what_stays,
    listen,
    make_server,
    write_handshake,
)
from hmz_backend.settings import LEAST_TOKEN, Settings, load_settings
from hmz_backend.watch.log_lines import set_up_logging
from hmz_backend.watch.log_thread import written_aside
from hmz_backend.watch.pseudonyms import Pseudonyms, kept_key
from hmz_backend.watch.watch import Watch
from hmz_backend.zoo.catalogue import Zoo
from hmz_backend.zoo.shipped import shipped_models
from napari_hmz.errors import SettingsInvalid
from napari_hmz.schema import wire


def serve(
    *,
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes any.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of volumes and runs.")] = None,
    engine: Annotated[str | None, typer.Option(help="`embedded` or `triton`.")] = None,
    handshake: Annotated[
        Path | None, typer.Option(help="Write address, token and process id here once listening.")
    ] = None,
) -> None:
    """Serve models until stopped; SIGTERM and Ctrl-C let open requests end."""
    set_up_logging()
    keep_memory()
    settings = load_settings(config, host=host, port=port, data_dir=data_dir, engine=engine)
    log_handler = set_up_logging(settings.log_format)
    check_address(settings)
    token, made_up = chosen_token(settings)
    zoo = Zoo([shipped_models(), *settings.models])
    pseudonyms = begun_in(settings.data_dir)
    open_database(settings.database_address).dispose()  # here a fault is told in a sentence
    with ExitStack() as stack:
        stack.enter_context(written_aside(log_handler))
        opened = stack.enter_context(listen(settings.host, settings.port))
        settings = settings.model_copy(update={"port": opened.getsockname()[1]})
        for_metrics = [stack.enter_context(each) for each in listen_for_metrics(settings)]
        port = for_metrics[0].getsockname()[1] if for_metrics else None
        watch = Watch(port, pseudonyms, choose_traces(settings))
        stack.callback(watch.traces.close)
        chosen = choose_engine(settings, zoo, stack)
        app = build_app(
            settings,
            engine=chosen.engine,
            triton_http=chosen.http,
            packages=zoo,
            identities=choose_identities(settings, token, watch),
            watch=watch,
        )

        def say_so() -> None:
            leave_alone_what_stays()
            url = address_of(opened)
            if handshake is not None:
                write_handshake(handshake, url, token.get_secret_value())
            typer.echo(f"listening on {url}", err=True)
            for each in for_metrics:
                typer.echo(f"metrics at {address_of(each)}{wire.METRICS}", err=True)
            if made_up and handshake is None:
                typer.echo(f"token: {token.get_secret_value()}", err=True)

        make_server(app, settings, say_so).run([opened, *for_metrics])


def begun_in(data_dir: Path) -> Pseudonyms:
    """Make the data folder if need be, and return the pseudonyms that are kept there.

    Raises
    ------
    SettingsInvalid
        If nothing can be read or written there.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        return Pseudonyms(kept_key(data_dir))
    except OSError as error:
        raise SettingsInvalid(
            f"Nothing can be kept in the data folder {data_dir}: {error.strerror}.",
            remedy="Give it to the backend's user, free some space, or name another one"
            " (`data_dir`); `hmz-backend check` says more.",
        ) from error


def listen_for_metrics(settings: Settings) -> list[socket.socket]:
    """Return the socket at which only metrics are answered, if there is to be one."""
    settings.token_for_metrics()  # the admin hears now that it cannot be read, not Prometheus
    return [listen(*settings.metrics_place)] if settings.metrics_place else []


def check_address(settings: Settings) -> None:
    """Refuse to be reachable from elsewhere as long as one shared token is all that is asked for.

    Raises
    ------
    SettingsInvalid
        If `host` is not a loopback address, and no issuer or hub is set that knows people.
    """
    if not (is_loopback(settings.host) or settings.knows_people):
        raise SettingsInvalid(
            f"The backend does not listen on {settings.host}: anyone could try the shared token.",
            remedy="Listen on 127.0.0.1; other addresses need [[issuers]] or [jupyterhub].",
        )


def chosen_token(settings: Settings) -> tuple[SecretStr, bool]:
    """Return the shared token, from the settings or HMZ_TOKEN, and whether it had to be made up.

    It is empty where people have accounts of their own.

    Raises
    ------
    SettingsInvalid
        If it is too short, or cannot be read.
    """
    if settings.knows_people:
        return SecretStr(""), False
    given = settings.shared_token() or SecretStr(os.environ.get("HMZ_TOKEN", ""))
    if not given.get_secret_value():
        return SecretStr(secrets.token_urlsafe(32)), True
    if len(given.get_secret_value()) < LEAST_TOKEN:
        raise SettingsInvalid(f"The token must have at least {LEAST_TOKEN} letters.")
    return given, False
