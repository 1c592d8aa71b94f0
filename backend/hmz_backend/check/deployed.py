"""Which model is ready on which engine, as far as that can be seen from outside."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from hmz_backend.check.patience import ANSWER_S
from hmz_backend.engines.environment import Environment, default_prefix
from hmz_backend.engines.triton_name import triton_name
from hmz_backend.engines.triton_probe import READY, TritonState, probe
from hmz_backend.settings import Settings
from napari_hmz.errors import EngineUnavailable
from napari_hmz.schema import ModelCard


@dataclass(frozen=True, slots=True)
class Health:
    """How a model is on one engine.

    Parameters
    ----------
    engine
        `embedded`, `bundled Triton`, or the address of a server.
    is_fine
        Whether it can be run there.
    words
        How it is.
    """

    engine: str
    is_fine: bool
    words: str


@dataclass(frozen=True)
class Deployed:
    """What the engines of a backend have.

    Parameters
    ----------
    settings
        Which engines there are.
    servers
        What each Triton server says of itself; none: it does not answer.
    """

    settings: Settings
    servers: Mapping[str, TritonState | None]

    def of(self, card: ModelCard) -> Sequence[Health]:
        """Return how a model is on each engine."""
        if self.settings.engine == "embedded":
            return [Health("embedded", True, "loads when it is asked for")]
        if not self.servers:
            return [_bundled(self.settings)]
        name = triton_name(card.id, card.version)
        return [_on_server(url, state, name) for url, state in self.servers.items()]


def ask_servers(settings: Settings) -> Deployed:
    """Ask all Triton servers at once."""
    urls = settings.triton_urls if settings.engine == "triton" else ()
    with ThreadPoolExecutor(max(1, len(urls))) as threads:
        return Deployed(settings, dict(zip(urls, threads.map(_asked, urls), strict=True)))


def _asked(url: str) -> TritonState | None:
    try:
        return probe(url, ANSWER_S)
    except EngineUnavailable:
        return None


def _bundled(settings: Settings) -> Health:
    environment = Environment((settings.triton_prefix or default_prefix()).absolute())
    if environment.is_installed():
        return Health("bundled Triton", True, "loads when it is asked for")
    return Health("bundled Triton", False, "Triton is not installed")


def _on_server(url: str, state: TritonState | None, name: str) -> Health:
    if state is None:
        return Health(url, False, "the server does not answer")
    if name not in state.models:
        return Health(url, False, "not in its repository")
    told = state.models[name]
    if told == READY:
        return Health(url, True, "ready")
    if told in ("", "unloaded"):
        return Health(url, True, "loads when it is asked for")
    return Health(url, False, told)
