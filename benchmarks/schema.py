"""Thousands of made-up requests, good and bad ones, to every route, as five callers.

schemathesis makes them from the OpenAPI document that the backend itself gives out: those that
follow it, and those that break it. Half of them name what is really there: a model of one group, a
volume and a run of one person. A third puts what is made up into the document's own examples, so
that it passes the first checks. The answers must be of the kinds that the document names, and
nobody may get at what is not theirs, nor be told of it.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode, Response
from schemathesis.core.errors import InvalidSchema
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Err, Result
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi import checks

from benchmarks.figure import Figure
from benchmarks.probed_backend import (
    ALLOWED,
    ANONYMOUS,
    CALLERS,
    STRANGER,
    ProbedBackend,
    probed_backend,
)
from hmz_backend.testing.postgres import fresh_database, postgres

AnyOperation = APIOperation[Any, Any, Any, Any]
AnyCase = Case[AnyOperation]
REQUESTS: Final = 20_000
EACH: Final = 8
"""Requests of one kind, to one route, as one caller, in one round."""
TIMEOUT_S: Final = 30.0
REFUSALS: Final = frozenset({401, 403, 404, 405, 413, 422})
INTERNAL: Final = 500
CHECKS: Final = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


def figures() -> Iterator[Figure]:
    """Yield how many requests were sent, and what was wrong with the answers."""
    with tempfile.TemporaryDirectory() as folder, probed_backend(Path(folder)) as backend:
        yield from _probed(backend)


def on_postgresql() -> Iterator[Figure]:
    """Yield the same of a backend on PostgreSQL."""
    with (
        tempfile.TemporaryDirectory() as folder,
        postgres() as server,
        fresh_database(server) as database,
        probed_backend(Path(folder), database) as backend,
    ):
        yield from _probed(backend)


def _probed(backend: ProbedBackend) -> Iterator[Figure]:
    probe = Probe(backend)
    for number in count():
        if probe.sent >= REQUESTS:
            break
        probe.round(number)
    print(probe.told(), end="")
    note = f"({probe.kinds()})"
    yield Figure("requests that were made up and sent", probe.sent, REQUESTS, "above", note)
    for kind in KINDS:
        yield Figure(kind, len(probe.faults[kind]), 0, "below")


SERVER, SCHEMA, ACCESS = "server errors", "schema breaks", "access breaks"
KINDS: Final = (SERVER, SCHEMA, ACCESS)
"""What can be wrong with an answer."""


@dataclass
class Probe:
    """Sends requests, and keeps what was wrong with the answers.

    Parameters
    ----------
    backend
        Is asked.
    each
        Requests of one kind in one round.
    """

    backend: ProbedBackend
    each: int = EACH
    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    faults: dict[str, dict[str, str]] = field(default_factory=lambda: {kind: {} for kind in KINDS})

    def __post_init__(self) -> None:
        """Read the document."""
        schema = schemathesis.openapi.from_dict(self.backend.document)
        self.operations = [unwrapped(found) for found in schema.get_all_operations()]
        self.session = requests.Session()
        self.session.trust_env = False

    def round(self, number: int) -> None:
        """Ask every route as everybody; the number decides what is made up."""
        for operation in self.operations:
            for caller in CALLERS:
                for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                    self._ask(operation, caller, mode, number)

    def told(self) -> str:
        """Return one line for each fault."""
        return "".join(
            f"{kind}: {where}: {what}\n"
            for kind, found in self.faults.items()
            for where, what in found.items()
        )

    def kinds(self) -> str:
        """Return how the answers are spread."""
        groups = Counter(f"{status // 100}xx" for status in self.statuses.elements())
        return ", ".join(f"{number} {kind}" for kind, number in sorted(groups.items()))

    def _ask(self, operation: AnyOperation, caller: str, mode: GenerationMode, number: int) -> None:
        @seed(f"{operation.label} {caller} {mode} {number}")
        @settings(
            max_examples=self.each,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy(mode), st.integers(0, 2), st.randoms(use_true_random=False))
        def ask(case: AnyCase, aim: int, chance: Any) -> None:  # noqa: ANN401 # random.Random
            if aim:
                self._point(case)
            if aim > 1:
                self._splice(case, chance)
            self._send(case, caller)

        try:
            ask()
        except Unsatisfiable:  # nothing about the request can be wrong
            return
        self.backend.renew()

    def _point(self, case: AnyCase) -> None:
        """Let a request name what is there."""
        names = self.backend.names
        for name in set(case.path_parameters or {}) & set(names):
            case.path_parameters[name] = names[name]
        if isinstance(case.body, dict):
            for name in {"model", "volume"} & set(case.body):
                case.body[name] = names[name]

    def _splice(self, case: AnyCase, chance: Any) -> None:  # noqa: ANN401 # random.Random
        """Put some of what is made up into a body that is good."""
        given_ = self.backend.document["paths"][case.path][case.method.lower()]
        content = given_.get("requestBody", {}).get("content", {}).get("application/json", {})
        examples = list(content.get("examples", {}).values())
        if not examples or not isinstance(case.body, dict):
            return
        kept = [name for name in case.body if chance.random() < 1 / 2]
        made_up = {name: case.body[name] for name in kept[:3]}
        good = {**chance.choice(examples)["value"]}
        good |= {name: value for name, value in self.backend.names.items() if name in good}
        case.body = {**good, **made_up}

    def _send(self, case: AnyCase, caller: str) -> None:
        where = f"{case.operation.label} as {caller}"
        self.sent += 1
        try:
            response = case.call(
                base_url=self.backend.backend.url,
                session=self.session,
                auth=partial(_shown, caller),
                timeout=TIMEOUT_S,
            )
        except requests.RequestException as error:
            self.faults[SERVER].setdefault(
                where, f"{type(error).__name__} {case.as_curl_command()}"
            )
            return
        self.statuses[response.status_code] += 1
        if response.status_code >= INTERNAL:
            told = response.content.decode("utf-8", "replace")
            self.faults[SERVER].setdefault(where, f"{told} {case.as_curl_command()}")
        self._check_document(case, response, where)
        self._check_access(case, response, caller, where)

    def _check_document(self, case: AnyCase, response: Response, where: str) -> None:
        try:
            case.validate_response(response, checks=CHECKS)
        except (Failure, FailureGroup) as error:
            self.faults[SCHEMA].setdefault(where, str(error)[:2000])

    def _check_access(self, case: AnyCase, response: Response, caller: str, where: str) -> None:
        rule = self.backend.rules[case.method.upper(), case.path]
        asked = f"{response.request.url} {response.request.body!r}"
        answer = response.content.decode("utf-8", "replace")
        hidden = self.backend.secrets_of(caller)
        told = [text for text in hidden if text in answer and text not in asked]
        is_named = not hidden.isdisjoint((case.path_parameters or {}).values())
        is_closed = is_named or "{" not in case.path or caller == STRANGER
        is_refused = response.status_code in REFUSALS or caller in ALLOWED[rule]
        if told or (is_closed and not is_refused):
            self.faults[ACCESS].setdefault(where, f"{response.status_code} {told} {answer[:300]}")


def unwrapped(found: Result[AnyOperation, InvalidSchema]) -> AnyOperation:
    """Return an operation of the document, or raise what is wrong with it."""
    if isinstance(found, Err):
        raise found.err()
    return found.ok()


def _shown(caller: str, request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Show a caller's token last of all: schemathesis makes tokens up, and leaves them out."""
    request.headers.pop("Authorization", None)
    if caller != ANONYMOUS:
        request.headers["Authorization"] = f"Bearer {caller}"
    return request
