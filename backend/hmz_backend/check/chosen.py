"""Which checks a backend needs, as its settings are."""

from collections.abc import Iterator
from pathlib import Path

from hmz_backend.check.certificate import Certificates, https_urls
from hmz_backend.check.clock import Clock
from hmz_backend.check.contradictions import Contradictions
from hmz_backend.check.database import DatabaseCheck
from hmz_backend.check.hub import HubCheck
from hmz_backend.check.issuer import IssuerCheck
from hmz_backend.check.listening import Listening
from hmz_backend.check.metrics_address import MetricsAddress
from hmz_backend.check.peer_address import PeerAddress
from hmz_backend.check.protocol import Check
from hmz_backend.check.public_address import PublicAddress
from hmz_backend.check.rules import Rules
from hmz_backend.check.secrets import Secrets
from hmz_backend.check.settings_file import SettingsFile
from hmz_backend.check.storage import Storage
from hmz_backend.check.trace_collector import TraceCollector
from hmz_backend.check.triton import BundledTriton, TritonGrpc, TritonHttpSide
from hmz_backend.settings import Settings, judged_settings, settings_path
from hmz_backend.zoo.catalogue import Zoo
from hmz_backend.zoo.shipped import shipped_models


def chosen_checks(config: Path | None = None) -> tuple[list[Check], Settings | None]:
    """Return what to look at, and the settings as far as they can be used.

    Raises
    ------
    SettingsInvalid
        If the settings cannot be read at all.
    """
    settings, faults = judged_settings(config)
    path = settings_path(config)
    checks: list[Check] = [SettingsFile(path, faults)]
    if settings is not None:
        checks += _checks_of(settings, path)
    return checks, settings


def _checks_of(settings: Settings, path: Path | None) -> Iterator[Check]:
    zoo = Zoo([shipped_models(), *settings.models])
    yield Contradictions(settings)
    yield Secrets(settings, path)
    yield Storage(settings)
    yield DatabaseCheck(settings)
    yield from _addresses(settings)
    yield from (IssuerCheck(issuer) for issuer in settings.issuers)
    if settings.jupyterhub is not None:
        yield HubCheck(settings.jupyterhub)
    if settings.engine == "triton":
        yield from _tritons(settings, zoo)
    if urls := https_urls(settings):
        yield Certificates(urls)
    yield Clock(settings)
    yield Rules(settings, zoo)


def _addresses(settings: Settings) -> Iterator[Check]:
    yield Listening(settings)
    if settings.metrics_place:
        yield MetricsAddress(*settings.metrics_place)
    if settings.peer_url:
        yield PeerAddress(settings)
    if settings.public_url:
        yield PublicAddress(settings)
    if settings.traces_url:
        yield TraceCollector(settings.traces_url)


def _tritons(settings: Settings, zoo: Zoo) -> Iterator[Check]:
    yield from (TritonGrpc(url, zoo) for url in settings.triton_urls)
    yield from (TritonHttpSide(url) for url in settings.triton_http_urls)
    if not settings.triton_urls:
        yield BundledTriton(settings.triton_prefix)
