"""The way to a backend: the one of the settings, or this machine's own; and whether it fits."""

from napari_hmz import errors
from napari_hmz.auth import Bearer
from napari_hmz.http import Http
from napari_hmz.local import LocalFolder, local_backend
from napari_hmz.schema import Health, wire
from napari_hmz.settings import ClientSettings


def local_folder(settings: ClientSettings) -> LocalFolder:
    """Return where the backend of this machine has its files."""
    place = f"backend-{settings.engine}"
    return LocalFolder(settings.state_dir / place, settings.data_dir / place)


def reach(settings: ClientSettings, *, start: bool = True) -> tuple[Http, str]:
    """Return the way to the backend, and the engine if it is the one of this machine.

    Raises
    ------
    LocalBackendStopped
        If it is that of this machine, does not run, and is not to be started.
    LocalBackendFailed
        If the backend of this machine does not start.
    """
    url, token, engine = settings.url, settings.token, ""
    if url is None:
        engine = settings.engine
        local = local_backend(local_folder(settings), settings.engine, start=start)
        url, token = local.url, local.token
    http = Http(
        url,
        token=Bearer(token),
        timeout_s=settings.timeout_s,
        patience_s=settings.patience_s,
    )
    return http, engine


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
