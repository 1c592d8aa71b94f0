"""Signing in on another device, at the real provider."""

import threading

import pytest

from napari_hmz.auth import SignIns
from napari_hmz.auth.device_flow import by_device
from napari_hmz.auth.issuer import Endpoints, discover
from napari_hmz.errors import SignInFailed
from napari_hmz.schema import SignInIssuer
from napari_hmz.sign_in import Attempt, sign_in
from napari_hmz.testing.person import Person
from napari_hmz.testing.scripted_server import ScriptedServer


def test_a_code_is_shown_and_used_elsewhere(
    backend: ScriptedServer, sign_ins: SignIns, wanda: Person
) -> None:
    assert sign_in(backend.url, sign_ins, wanda, Attempt(device=True)) == "wanda"
    assert sign_ins.access(backend.url) is not None
    assert sign_ins.kept(backend.url) is not None


def test_who_gives_up_is_not_waited_for(way: SignInIssuer) -> None:
    cancelled = threading.Event()
    with pytest.raises(SignInFailed, match="cancelled"):
        by_device(way, discover(way.issuer), lambda *_: cancelled.set(), cancelled=cancelled)


def test_an_issuer_without_it_says_so(way: SignInIssuer) -> None:
    without = Endpoints(issuer=way.issuer, authorization="", token="", keys="")
    with pytest.raises(SignInFailed, match="does not offer"):
        by_device(way, without, lambda *_: None, cancelled=threading.Event())
