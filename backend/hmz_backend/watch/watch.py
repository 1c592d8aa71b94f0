"""The watch: everything that the parts of one backend tell what they do."""

from secrets import token_bytes

from hmz_backend.watch.callers import CallerMetrics
from hmz_backend.watch.instruments import Instruments
from hmz_backend.watch.lag import LoopLag
from hmz_backend.watch.levels import Levels
from hmz_backend.watch.pseudonyms import KEY_BYTES, Pseudonyms
from hmz_backend.watch.requests import RequestMetrics
from hmz_backend.watch.traces import NoTraces, Traces
from hmz_backend.watch.work import WorkMetrics


class Watch:
    """Is told what goes on; one for each backend, so that two in one process do not mix.

    Parameters
    ----------
    port
        At which metrics are answered and nothing else; none: there is no such port.
    traces
        Takes spans; none: nothing is traced.
    pseudonyms
        What persons are called in the log; none: something else after each start.
    """

    def __init__(
        self,
        port: int | None = None,
        pseudonyms: Pseudonyms | None = None,
        traces: Traces | None = None,
    ) -> None:
        self.port = port
        self.traces: Traces = traces or NoTraces()
        self.pseudonyms = pseudonyms or Pseudonyms(token_bytes(KEY_BYTES))
        self.instruments = Instruments()
        self.requests = RequestMetrics(self.instruments)
        self.work = WorkMetrics(self.instruments)
        self.callers = CallerMetrics(self.instruments)
        self.lag = LoopLag(self.instruments)
        self.levels = Levels(self.instruments)
