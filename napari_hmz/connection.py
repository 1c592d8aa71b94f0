"""The way to a backend: the one of the settings, or this machine's own; and whether it fits."""

from napari_hmz import errors
from napari_hmz.auth import Ask, Bearer, CommandToken, Session, SignIns
from napari_hmz.authorization import Credential
from napari_hmz.http import Http
from napari_hmz.local import LocalFolder, local_backend
from napari_hmz.schema import Health, wire
from napari_hmz.settings import ClientSettings


def local_folder(settings: ClientSettings) -> LocalFolder:
    """Return where the backend of this machine has its files."""
    place = f"backend-{settings.engine}"
    return LocalFolder(settings.state_dir / place, settings.data_dir / place)


def reach(
    settings: ClientSettings,
    *,
    start: bool = True,
    sign_ins: SignIns | None = None,
    ask: Ask | None = None,
) -> tuple[Http, str]:
    """Return the way to the backend, and the engine if it is the one of this machine.

    Parameters
    ----------
    settings
        Where it is, and with which token, if one is set.
    start
        Whether the one of this machine is started if it does not run.
    sign_ins
        Who is signed in where; none: what the keyring knows.
    ask
        Called when only the person can help, see `Session`.

    Raises
    ------
    LocalBackendStopped
        If it is that of this machine, does not run, and is not to be started.
    LocalBackendFailed
        If the backend of this machine does not start.
    """
    if settings.url is not None:
        credential = _credential(settings, settings.url, sign_ins or SignIns(), ask)
        return _http(settings, settings.url, credential), ""
    local = local_backend(local_folder(settings), settings.engine, start=start)
    return _http(settings, local.url, Bearer(local.token)), settings.engine


def _http(settings: ClientSettings, url: str, credential: Credential) -> Http:
    return Http(
        url,
        credential=credential,
        timeout_s=settings.timeout_s,
        patience_s=settings.patience_s,
    )


def _credential(
    settings: ClientSettings, url: str, sign_ins: SignIns, ask: Ask | None
) -> Credential:
    """Return what is set; else whoever has signed in there."""
    if settings.token is not None:
        return Bearer(settings.token)
    if settings.token_command is not None:
        return CommandToken(settings.token_command)
    return Session(url.rstrip("/"), sign_ins, settings.state_dir, ask)


def checked_health(http: Http) -> Health:
    """Return the backend's health if both sides understand each other.

    Raises
    ------
    BackendTooOld, ClientTooOld, BackendUnreachable
        If not, or if nobody answers, or something else.
    """
    try:
        health = http.get(wire.HEALTH, Health)
    except errors.NotFound as error:  # something listens there, but no backend
        raise errors.BackendUnreachable(f"At {http.url} is no napari-hmz backend.") from error
    if health.protocol < wire.OLDEST_BACKEND:
        raise errors.BackendTooOld(
            f"The backend {health.version} speaks protocol {health.protocol}; "
            f"this client needs {wire.OLDEST_BACKEND}."
        )
    if health.oldest_client > wire.PROTOCOL_VERSION:
        raise errors.ClientTooOld(
            f"The backend {health.version} wants protocol {health.oldest_client}; "
            f"this client speaks {wire.PROTOCOL_VERSION}."
        )
    return health
