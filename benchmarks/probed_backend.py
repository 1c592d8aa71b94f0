"""A backend to be probed: five callers, a model of one group, and what one of the callers owns."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
from fastapi.routing import APIRoute

from hmz_backend.identity.anonymous import Anonymous
from hmz_backend.identity.protocol import Credential, Principal
from hmz_backend.routes.rules import Rule
from hmz_backend.testing.all_routes import all_routes, rules_of
from hmz_backend.testing.cards import CARDS, MODELS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import LiveBackend, wait_until
from hmz_backend.testing.paper_triton import PaperTriton
from hmz_backend.testing.volumes import announcement, encoded_chunks
from napari_hmz.schema import ENDED, AccessSpec, wire

ISSUER: Final = "https://login.example.de"
GROUP: Final = "urn:geant:helmholtz.de:group:Imaging#login.example.de"
SECRET: Final = CARDS[0].model_copy(
    update={
        "id": "members-only",
        "access": AccessSpec(public=False, groups=(GROUP,)),
        "thumbnail": "cover.png",
    }
)
SHAPE, CHUNKS = (8, 20, 24), (8, 16, 16)
IMAGE: Final = np.random.default_rng(5).integers(1, 256, SHAPE).astype("uint8")
PEOPLE: Final = {
    "member": Principal(ISSUER, "member", frozenset({GROUP}), credential="issuer"),
    "owner": Principal(ISSUER, "owner", frozenset({GROUP}), credential="issuer"),
    "admin": Principal(ISSUER, "admin", roles=frozenset({"user", "admin"}), credential="issuer"),
}
ANONYMOUS, STRANGER = "anonymous", "stranger"
CALLERS: Final = (ANONYMOUS, STRANGER, *PEOPLE)
OWNERS: Final = frozenset({"owner"})
EVERYBODY: Final = frozenset(CALLERS)
OK, INTERNAL = 200, 500
ALLOWED: Final[Mapping[Rule, frozenset[str]]] = {
    Rule.OPEN: EVERYBODY,
    Rule.KNOWN: EVERYBODY - {STRANGER},
    Rule.PERSON: frozenset(PEOPLE),
    Rule.METRICS: frozenset({"admin"}),
    Rule.MODEL: frozenset(PEOPLE),
    **{rule: OWNERS for rule in Rule if rule.name.startswith(("RUN_", "VOLUME_"))},
}
"""Who may do what with the model, the volume and the run of this backend."""


class KnownPeople:
    """Takes the token for the name of one of `PEOPLE`."""

    async def identify(self, credential: Credential) -> Principal | None:
        """Return the person of that name, if there is one."""
        return PEOPLE.get(credential.bearer or "")


@dataclass
class ProbedBackend:
    """A running backend, with what it holds.

    Parameters
    ----------
    backend
        Listens.
    volume, run, share
        The owner's; the run has ended, and its chunks are held.
    """

    backend: LiveBackend
    volume: str = ""
    run: str = ""
    share: str = ""
    document: dict[str, Any] = field(init=False)
    rules: Mapping[tuple[str, str], Rule] = field(init=False)

    def __post_init__(self) -> None:
        """Ask for the document, and make what there is to see."""
        self.http = httpx.Client(base_url=self.backend.url, timeout=30.0)
        self.document = self._ask("GET", f"{wire.API}/openapi.json").json()
        self.rules = {
            (method, route.path_format): rules_of(route)[0]
            for route in all_routes(self.backend.app.routes)
            if isinstance(route, APIRoute)
            for method in route.methods or ()
        }
        request = json.loads(announcement(IMAGE, CHUNKS).model_dump_json())
        self.volume = self._ask("POST", wire.VOLUMES, json=request).json()["id"]
        for key, body in encoded_chunks(IMAGE, CHUNKS).items():
            self._ask("PUT", wire.chunk(self.volume, key), content=body)
        self.renew()

    def renew(self) -> None:
        """Make a run and a share, if there are none: an owner may remove what is theirs."""
        if not self.run or self._ask("GET", wire.run(self.run)).status_code != OK:
            body = {"model": SECRET.id, "volume": self.volume}
            self.run = self._ask("POST", wire.RUNS, json=body).json()["id"]
            wait_until(lambda: self._ask("GET", wire.run(self.run)).json()["state"] in ENDED)
        where = wire.shares(wire.run(self.run))
        shares = self._ask("GET", where).json()
        if not shares:
            shares = [self._ask("POST", where, json={"subject": "somebody"}).json()]
        self.share = shares[0]["id"]

    @property
    def names(self) -> dict[str, str]:
        """What stands in a path for what is there."""
        return {
            "run": self.run,
            "volume": self.volume,
            "share": self.share,
            "model": SECRET.id,
            "version": SECRET.version,
            "name": SECRET.outputs[0].name,
        }

    def secrets_of(self, caller: str) -> frozenset[str]:
        """Return the texts that a caller must never be told."""
        models = {SECRET.id} if caller not in PEOPLE else set()
        owned = {self.run, self.volume} if caller not in OWNERS else set()
        return frozenset(models | owned)

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:  # noqa: ANN401 # httpx's
        answer = self.http.request(method, path, headers={"Authorization": "Bearer owner"}, **more)
        if answer.status_code >= INTERNAL:
            raise RuntimeError(answer.text)
        return answer


@contextmanager
def probed_backend(folder: Path, database_url: str = "") -> Iterator[ProbedBackend]:
    """Run a backend that keeps its things in a folder, and rows there or in another database."""
    computed = {**MODELS, (SECRET.id, SECRET.version): MODELS["copy", SECRET.version]}
    backend = LiveBackend(
        folder / "data",
        FakeEngine(computed),
        [*CARDS, SECRET],
        {"anonymous": True, "requests_per_s": 0, "database_url": database_url},
        [KnownPeople(), Anonymous()],
        PaperTriton(),
    )
    with backend:
        probed = ProbedBackend(backend)
        with closing(probed.http):
            yield probed
