import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from napari_hmz.testing.issuer import Issuer

# For verdicts on a commit: the same examples each time, and however slow the machine is. New
# examples are hunted for at the desk, with the profile that Hypothesis takes by itself.
settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

ISSUER = Path(__file__).parent / "issuer"


class AtOnce:
    """Names each failure when it happens: a session that hangs later prints no summary."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if report.failed and terminal is not None:
            terminal.write_line(f"\n{report.nodeid} failed ({report.when}): {report.longreprtext}")


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # in the background of a shell
        # What the tests start would not heed Ctrl-C either.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):  # of several processes, the one that prints
        config.pluginmanager.register(AtOnce(config))


@pytest.fixture(scope="session")
def issuer_process() -> Iterator[Issuer]:
    with Issuer(ISSUER) as issuer:
        yield issuer


@pytest.fixture
def issuer(issuer_process: Issuer) -> Issuer:
    """The real OpenID Connect provider of all tests, with its usual lifetimes.

    `issuer.account("alice", "urn:geant:helmholtz.de:group:imaging#login.helmholtz.de")` makes a
    person (names are shared by all tests: take your own), `issuer.tokens("alice")` signs her in and
    returns her tokens: `.access` is a JWT with the audience `issuer.API`, or opaque with
    `resource=None`. `issuer.sign({...})` makes a JWT of any claims. A test that stops the provider
    makes its own `Issuer(ISSUER)`: see `own_issuer`.
    """
    issuer_process.lifetimes()
    return issuer_process


@pytest.fixture
def own_issuer() -> Iterator[Issuer]:
    """A provider of the test's own, that it may stop."""
    with Issuer(ISSUER) as issuer:
        yield issuer
