"""Settings that do not fit each other."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from hmz_backend.check.finding import Finding, ok, warning, wrong
from hmz_backend.issuers import IssuerSettings, is_loopback
from hmz_backend.settings import Settings


@dataclass(frozen=True, slots=True)
class Contradictions:
    """Looks at settings beside each other."""

    settings: Settings
    subject: str = "settings together"

    def look(self) -> Sequence[Finding]:
        """Return which settings contradict others, or have no effect beside them."""
        found = [each for rule in RULES for each in rule(self.settings)]
        return found or [ok("None contradicts another.")]


def _reachable_without_people(settings: Settings) -> Iterator[Finding]:
    if not (is_loopback(settings.host) or settings.knows_people):
        yield wrong(
            f"host is {settings.host}, but nobody is known by name: the backend does not start.",
            'Add [[issuers]] or [jupyterhub], or take host = "127.0.0.1".',
        )


def _token_of_nobody(settings: Settings) -> Iterator[Finding]:
    if settings.knows_people and (settings.token or settings.token_file):
        yield warning(
            "token opens nothing, since people have accounts of their own.", "Take it out."
        )


def _triton_that_is_not_asked(settings: Settings) -> Iterator[Finding]:
    grpc, http = settings.triton_urls, settings.triton_http_urls
    if settings.engine == "embedded" and (grpc or http):
        yield wrong(
            'triton_urls are named, but engine is "embedded": they are not asked.',
            'Set engine = "triton", or take triton_urls out.',
        )
    elif http and not grpc:
        yield wrong(
            "triton_http_urls is set without triton_urls: the bundled Triton is started, and those"
            " are not asked.",
            "Name the gRPC addresses of the same servers in triton_urls.",
        )
    elif http and len(http) != len(grpc):
        yield warning(
            f"There are {len(grpc)} triton_urls and {len(http)} triton_http_urls.",
            "Name both addresses of each server.",
        )


def _limits_that_are_never_reached(settings: Settings) -> Iterator[Finding]:
    for low, high in LESS_THAN:
        least, most = getattr(settings, low), getattr(settings, high)
        if least and most and least > most:
            yield wrong(
                f"{low} ({least}) is more than {high} ({most}), of which it is a part.",
                f"Make {low} smaller, or {high} larger.",
            )


def _peers_without_postgresql(settings: Settings) -> Iterator[Finding]:
    if settings.peer_url and not settings.database_url.startswith("postgresql"):
        yield wrong(
            "peer_url is set, but several server processes need PostgreSQL.",
            "Set database_url, or take peer_url out.",
        )


def _metrics_in_place_of_all_else(settings: Settings) -> Iterator[Finding]:
    place = settings.metrics_place
    if place and settings.port and place[1] == settings.port:
        yield wrong(
            f"metrics_address has the backend's own port, {settings.port}: nothing else would be"
            " answered there.",
            "Choose another port in metrics_address.",
        )


def _another_prefix(settings: Settings) -> Iterator[Finding]:
    public, prefix = settings.public_url, settings.url_prefix
    if public and prefix and not public.endswith(prefix):
        yield wrong(
            f"public_url {public} does not end with url_prefix {prefix}.",
            "Let both name the same path, or take url_prefix out if the proxy takes it away.",
        )


def _people_who_are_refused(settings: Settings) -> Iterator[Finding]:
    for issuer in settings.issuers:
        desktop = issuer.desktop
        if desktop is None or not issuer.clients or desktop.client_id in issuer.clients:
            continue
        yield wrong(
            f"Who signs in at {issuer.url} from napari is refused: {desktop.client_id} is not among"
            " its clients.",
            f'Add "{desktop.client_id}" to clients.',
        )


def _roles_that_nobody_has(settings: Settings) -> Iterator[Finding]:
    for issuer in settings.issuers:
        for role, group in _role_groups(issuer):
            if group.rpartition("#")[2] not in issuer.authorities:
                yield wrong(
                    f"Nobody has the role {role} by {group}: {issuer.url} has no such authority.",
                    f'Add "{group.rpartition("#")[2]}" to authorities of this issuer.',
                )


def _role_groups(issuer: IssuerSettings) -> Iterator[tuple[str, str]]:
    for role, rule in issuer.roles.items():
        for group in rule.groups:
            yield role, group


LESS_THAN: Final = (
    ("stream_bytes", "staging_quota_bytes"),
    ("staging_bytes_each", "staging_quota_bytes"),
    ("chunk_limit_bytes", "stream_bytes"),
    ("chunk_limit_bytes", "memory_budget_bytes"),
    ("runs_at_once", "runs_open"),
)
RULES: Final[tuple[Callable[[Settings], Iterator[Finding]], ...]] = (
    _reachable_without_people,
    _token_of_nobody,
    _triton_that_is_not_asked,
    _limits_that_are_never_reached,
    _peers_without_postgresql,
    _metrics_in_place_of_all_else,
    _another_prefix,
    _people_who_are_refused,
    _roles_that_nobody_has,
)
