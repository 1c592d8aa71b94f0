"""Which keyring is used, and which is not."""

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail

from napari_hmz.auth.vault import SERVICE, system_vault


class Good(KeyringBackend):
    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # of the library
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[(service, username)] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[(service, username)]


class Dead(Good):
    def get_password(self, service: str, username: str) -> str | None:
        raise OSError("no bus")


class Locked(Good):
    def set_password(self, service: str, username: str, password: str) -> None:
        raise OSError(f"{password} was not taken")


class Plain(Good):
    """As those of keyrings.alt, which write secrets into files."""


Plain.__module__ = "keyrings.alt.file"


class Chain(Good):
    def __init__(self, *backends: KeyringBackend) -> None:
        super().__init__()
        self.backends = backends


def use(monkeypatch: pytest.MonkeyPatch, backend: KeyringBackend) -> None:
    monkeypatch.setattr(keyring, "get_keyring", lambda: backend)


NONE: KeyringBackend = fail.Keyring()  # type: ignore[no-untyped-call] # of the library


@pytest.mark.parametrize("backend", [NONE, Dead(), Plain(), Chain(Plain(), Dead())])
def test_a_keyring_that_is_dead_or_writes_plain_files_is_none(
    backend: KeyringBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, backend)
    assert system_vault() is None


def test_the_first_one_that_is_alive_keeps_and_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    good = Good()
    use(monkeypatch, Chain(Plain(), Dead(), good))
    vault = system_vault()
    assert vault is not None
    assert vault.write("https://b", "secret")
    assert good.kept == {(SERVICE, "https://b"): "secret"}
    assert vault.read("https://b") == "secret"
    vault.erase("https://b")
    vault.erase("https://b")
    assert vault.read("https://b") is None


def test_a_locked_one_takes_nothing_and_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Locked())
    vault = system_vault()
    assert vault is not None
    assert not vault.write("https://b", "secret")
