"""Where traces go, as the settings say: to an OpenTelemetry collector, or nowhere."""

from hmz_backend.settings import Settings
from hmz_backend.watch.traces import NoTraces, Traces
from napari_hmz.errors import SettingsInvalid


def choose_traces(settings: Settings) -> Traces:
    """Return what takes traces.

    Raises
    ------
    SettingsInvalid
        If they are asked for, and OpenTelemetry is not installed.
    """
    if not settings.traces_url:
        return NoTraces()
    try:
        from hmz_backend.watch.open_telemetry import otlp
    except ImportError as error:
        raise SettingsInvalid(
            f"Traces need OpenTelemetry, of which something is not installed: {error.name}.",
            remedy="`pip install 'napari-hmz[traces]'`, or leave `traces_url` out.",
        ) from error
    return otlp(settings.traces_url)
