"""Triton: reachable, of a version that is known, with the models, and closed to strangers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from hmz_backend.check.finding import Finding, ok, warning, wrong
from hmz_backend.check.patience import ANSWER_S
from hmz_backend.check.strangers import answers, is_public, own_address
from hmz_backend.check.web import OK, NoAnswer, asked
from hmz_backend.engines.environment import Environment, default_prefix
from hmz_backend.engines.triton_name import triton_name
from hmz_backend.engines.triton_probe import TritonState, probe
from hmz_backend.issuers import is_loopback
from hmz_backend.zoo.catalogue import Zoo
from napari_hmz.errors import EngineUnavailable

OLDEST: Final = (2, 51)
NOT_READY: Final = (
    "Wait until it has started, or look at its log. One model that cannot be loaded is enough, "
    "unless it runs with --strict-readiness=false."
)
FIREWALL: Final = "Bind it to loopback, or let a firewall admit the backend alone."


@dataclass(frozen=True, slots=True)
class TritonGrpc:
    """Looks at the gRPC side of one server.

    Parameters
    ----------
    url
        `host:port`.
    zoo
        The models that it must have.
    """

    url: str
    zoo: Zoo

    @property
    def subject(self) -> str:
        """Which server."""
        return f"triton {self.url}"

    def look(self) -> Sequence[Finding]:
        """Return what is wrong with it."""
        try:
            state = probe(self.url, ANSWER_S)
        except EngineUnavailable:
            words = f"Nobody answers gRPC at {self.url}."
            return [wrong(words, "triton_urls has gRPC addresses, host:port, usually port 8001.")]
        found = [*self._state(state), *self._models(state)]
        found += list(_open_to_strangers(self.url))
        number = len(state.models)
        return found or [ok(f"Triton {state.version} is ready, with {number} models.")]

    def _state(self, state: TritonState) -> Iterator[Finding]:
        if not state.is_ready:
            yield warning("It is not ready.", NOT_READY)
        if not state.is_explicit:
            yield wrong(
                "It does not load what it is told to.",
                "Start it with --model-control-mode=explicit, and without restricted protocols.",
            )
        numbers = tuple(int(part) for part in state.version.split(".")[:2] if part.isdigit())
        if numbers < OLDEST:
            words = f"Triton {state.version} is older than what has been tried here (2.51)."
            yield warning(words, "Take a newer one.")

    def _models(self, state: TritonState) -> Iterator[Finding]:
        names = {triton_name(card.id, card.version): card for card in self.zoo.cards()}
        lacking = [
            f"{card.id} {card.version}" for n, card in names.items() if n not in state.models
        ]
        if lacking:
            words = f"Its repository lacks {', '.join(lacking)}."
            remedy = "Write it with `hmz-backend zoo deploy --config`, where this Triton reads."
            yield wrong(words, remedy)
        for name, card in names.items():
            if "unavailable" in state.models.get(name, "").lower():
                words = f"{card.id} {card.version} cannot be loaded: {state.models[name]}."
                yield warning(words, "Look at Triton's log.")


@dataclass(frozen=True, slots=True)
class TritonHttpSide:
    """Looks at the HTTP side of one server, which `/v2` needs."""

    url: str

    @property
    def subject(self) -> str:
        """Which server."""
        return f"triton {self.url}"

    def look(self) -> Sequence[Finding]:
        """Return what is wrong with it."""
        remedy = "triton_http_urls has addresses like http://host:8000."
        try:
            told = asked("GET", f"{self.url.rstrip('/')}/v2")
        except NoAnswer as error:
            return [wrong(f"Nobody answers HTTP at {self.url}: {error}.", remedy)]
        if told.status != OK or "extensions" not in told.document:
            return [wrong(f"What answers at {self.url} is no Triton.", remedy)]
        found = list(_open_to_strangers(urlsplit(self.url).netloc))
        return found or [ok(f"Triton {told.document.get('version', '')} answers HTTP.")]


@dataclass(frozen=True, slots=True)
class BundledTriton:
    """Looks whether the Triton that the backend starts itself is installed."""

    prefix: Path | None
    subject: str = "triton"

    def look(self) -> Sequence[Finding]:
        """Return whether it is there."""
        environment = Environment((self.prefix or default_prefix()).absolute())
        if environment.is_installed():
            return [ok(f"The bundled one is installed at {environment.prefix}.")]
        words = f"The bundled one is not installed at {environment.prefix}."
        return [wrong(words, "Run `hmz-backend triton install`, or name triton_urls.")]


def _open_to_strangers(place: str) -> Iterator[Finding]:
    """Say so if a server can be reached by others: whoever reaches it can load any model."""
    parts = urlsplit(f"//{place}")
    host, port = parts.hostname or "", parts.port
    if port is None:
        return
    if is_loopback(host):
        own = own_address()
        if own and answers(own, port):
            words = f"It answers at {own}:{port}, too: whoever reaches it can load any model."
            yield warning(words, FIREWALL)
    elif is_public(host):
        words = f"{host} is a public address: whoever reaches it can load any model."
        yield warning(words, FIREWALL)
