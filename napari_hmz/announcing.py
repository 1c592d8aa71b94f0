"""Announcing the images of a run to the backend, with their statistics where a model wants them."""

from collections.abc import Mapping

from napari_hmz.http import Http
from napari_hmz.run_options import RunOptions, announcement
from napari_hmz.run_sources import RunSources
from napari_hmz.schema import ModelCard, Volume, wire
from napari_hmz.statistics import volume_statistics


def announce(
    http: Http, sources: RunSources, options: RunOptions
) -> tuple[Volume, dict[str, Volume]]:
    """Tell the backend of all images; return the volumes of the first input and of the others."""
    first = http.ask(wire.VOLUMES, announcement(sources.first, options), Volume)
    others = {
        name: http.ask(wire.VOLUMES, announcement(source, options), Volume)
        for name, source in sources.others.items()
    }
    return first, others


def ids_of(volumes: Mapping[str, Volume]) -> dict[str, str]:
    """Return what a request for a run calls volumes, by the inputs that they feed."""
    return {name: volume.id for name, volume in volumes.items()}


def add_statistics(
    http: Http, card: ModelCard, sources: RunSources, volumes: tuple[Volume, Mapping[str, Volume]]
) -> None:
    """Tell the statistics of all images, if the model scales by them and they are not known."""
    first, others = volumes
    pairs = [(first, sources.first), *((others[name], one) for name, one in sources.others.items())]
    for volume, source in pairs if card.normalise.scope == "volume" else ():
        if volume.request.statistics is None:
            statistics = volume_statistics(source.read, source.request)
            found = {"statistics": statistics, "mode": volume.request.mode}
            http.ask(wire.VOLUMES, source.request.model_copy(update=found), Volume)
