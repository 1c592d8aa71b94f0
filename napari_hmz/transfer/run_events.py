"""What a run tells, as messages, from the first event or from a given one until its end."""

from collections.abc import Iterator

from pydantic import ValidationError

from napari_hmz.http import Http
from napari_hmz.patience import Patience
from napari_hmz.schema import ENDED, EVENT, Event, StateChanged, wire


def run_events(http: Http, run_id: str, *, patience: Patience, after: int = 0) -> Iterator[Event]:
    """Yield the events of a run that come after number `after`, until the run has ended.

    Events of a kind that this version does not know are left out.

    Raises
    ------
    BackendUnreachable
        If the backend stays away longer than `patience` lasts.
    """
    last = str(after) if after else ""
    for found in http.events(wire.events(run_id), after=last, patience=patience):
        try:
            event = EVENT.validate_json(found.data)
        except ValidationError:
            continue
        yield event
        if isinstance(event, StateChanged) and event.state in ENDED:
            return
