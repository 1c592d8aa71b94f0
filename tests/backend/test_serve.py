import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from hmz_backend.cli.chosen_identities import choose_identities
from hmz_backend.cli.serve import begun_in, check_address, chosen_token
from hmz_backend.identity.shared_token import SharedToken
from hmz_backend.settings import Settings, load_settings
from hmz_backend.watch.watch import Watch
from napari_hmz.errors import SettingsInvalid
from napari_hmz.schema import wire

COMMAND = [sys.executable, "-m", "hmz_backend", "serve"]
PATIENT = {"HMZ_BACKEND_STOP_PATIENCE_S": "90"}  # what is held up is far later than a busy machine

COUNTED = """
import atexit, gc, runpy, sys

def tell():
    gc.collect()
    print(gc.get_freeze_count(), len(gc.get_objects()), file=sys.stderr)

atexit.register(tell)
runpy.run_module("hmz_backend", run_name="__main__", alter_sys=True)
"""
"""At its end, the backend tells how many objects the collector leaves alone, and looks at."""


def environment(tmp_path: Path) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HMZ_")}
    return clean | {"HMZ_BACKEND_DATA_DIR": str(tmp_path / "data"), "HMZ_BACKEND_WORKERS": "1"}


@contextmanager
def served(
    tmp_path: Path, *more: str, begin: Sequence[str] = COMMAND
) -> Iterator[tuple[dict[str, Any], "subprocess.Popen[str]"]]:
    handshake = tmp_path / "handshake.json"
    command = [*begin, "--port", "0", "--handshake", str(handshake), *more]
    process = subprocess.Popen(
        command, env=environment(tmp_path) | PATIENT, stderr=subprocess.PIPE, text=True
    )
    try:
        end_s = time.monotonic() + 90
        while not handshake.exists():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < end_s
            time.sleep(0.05)
        assert stat.S_IMODE(handshake.stat().st_mode) == 0o600
        yield json.loads(handshake.read_text()), process
    finally:
        process.kill()
        process.communicate()


def test_it_says_where_it_listens_and_stops_when_told(tmp_path: Path) -> None:
    with served(tmp_path) as (said, process):
        assert said["pid"] == process.pid
        signed = {"Authorization": f"Bearer {said['token']}"}
        with httpx.Client(base_url=said["url"], headers=signed, timeout=120) as http:
            assert http.get(wire.HEALTH).json()["engine"] == "embedded"
            ids = {card["id"] for card in http.get(wire.MODELS).json()}
            assert "components" in ids
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
        assert process.returncode == 0
        assert said["token"] not in log


def test_once_it_listens_the_collector_looks_no_more_at_what_is_loaded(tmp_path: Path) -> None:
    with served(tmp_path, begin=[sys.executable, "-c", COUNTED, "serve"]) as (_, process):
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
    left_alone, looked_at = map(int, log.splitlines()[-1].split())
    assert left_alone > looked_at


def test_metrics_have_an_address_of_their_own_where_nothing_else_is(tmp_path: Path) -> None:
    config = tmp_path / "backend.toml"
    config.write_text('metrics_address = "127.0.0.1:0"')
    with served(tmp_path, "--config", str(config)) as (said, process):
        assert process.stderr is not None
        place = next(line.split()[-1] for line in process.stderr if line.startswith("metrics at"))
        assert place.endswith(wire.METRICS)
        read = httpx.get(place)
        assert read.status_code == 200
        assert "hmz_build_info{" in read.text
        signed = {"Authorization": f"Bearer {said['token']}"}
        other = place.removesuffix(wire.METRICS) + wire.MODELS
        assert httpx.get(other, headers=signed).status_code == 404
        assert httpx.post(place).status_code == 404
        assert httpx.get(said["url"] + wire.METRICS).status_code == 401


def test_open_streams_do_not_hold_it_up(tmp_path: Path) -> None:
    import numpy as np

    from hmz_backend.testing.user import User

    with served(tmp_path) as (said, process):
        signed = {"Authorization": f"Bearer {said['token']}"}
        with httpx.Client(base_url=said["url"], headers=signed, timeout=120) as http:
            channel = {"minimum": 0, "maximum": 0, "mean": 0, "std": 0}
            statistics = {"method": "exact", "sampled_voxels": 2048, "channels": [channel]}
            user = User(http, np.zeros((8, 16, 16), "uint8"), (8, 16, 16))
            user.more = {"statistics": statistics}
            user.announce()
            run = user.start("components", parameters={"threshold": 10})
            ended: list[float] = []

            def follow() -> None:
                list(user.events(run.id))
                ended.append(time.monotonic())

            follower = threading.Thread(target=follow)
            follower.start()
            time.sleep(0.5)  # the stream is open by then, or opens too late to matter
            told_s = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=120)
            follower.join(30)
        assert time.monotonic() - told_s < 60
        assert ended


def refused(tmp_path: Path, *arguments: str) -> str:
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_bad_settings_are_a_sentence_and_an_exit_code(tmp_path: Path) -> None:
    assert "0.0.0.0" in refused(tmp_path, "--host", "0.0.0.0")  # noqa: S104 # it is refused
    config = tmp_path / "config.toml"
    config.write_text("unknown = 1")
    assert "unknown" in refused(tmp_path, "--config", str(config))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert str(port) in refused(tmp_path, "--port", str(port))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org"])  # noqa: S104  # to be refused
def test_only_loopback_without_identity(host: str) -> None:
    with pytest.raises(SettingsInvalid):
        check_address(Settings(host=host))


PEOPLE: list[dict[str, Any]] = [
    {"issuers": [{"url": "https://login.example.de", "audiences": ["hmz"]}]},
    {"jupyterhub": {"url": "https://hub.example.de/hub/api", "scope": "access:services"}},
]


@pytest.mark.parametrize("words", [["serve", "--port", "0"], ["users", "list"]])
def test_a_database_that_cannot_be_used_is_a_sentence(tmp_path: Path, words: list[str]) -> None:
    nowhere = {"HMZ_BACKEND_DATABASE_URL": "postgresql+psycopg://hmz@127.0.0.1:1/hmz"}
    done = subprocess.run(
        [*COMMAND[:-1], *words],
        env=environment(tmp_path) | nowhere,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1
    assert "The database cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_data_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "data"):
        with pytest.raises(SettingsInvalid, match="file") as caught:
            begun_in(folder)
        assert "data_dir" in caught.value.remedy
    assert begun_in(tmp_path / "new" / "data").of("issuer", "ann")


@pytest.mark.parametrize("known", PEOPLE, ids=["issuer", "hub"])
def test_where_people_have_accounts_it_may_be_reached_and_the_shared_token_opens_nothing(
    known: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HMZ_TOKEN", "a token of everybody")
    settings = load_settings(host="0.0.0.0", **known)  # noqa: S104 # that is the point
    check_address(settings)
    token, made_up = chosen_token(settings)
    assert (token.get_secret_value(), made_up) == ("", False)
    identities = choose_identities(settings, token, Watch())
    assert not [one for one in identities if isinstance(one, SharedToken)]


def test_a_secret_that_cannot_be_read_is_told_at_the_start(tmp_path: Path) -> None:
    issuer = {
        "url": "https://login.example.de",
        "audiences": ["hmz"],
        "check": ["introspection"],
        "client_id": "hmz",
        "client_secret_file": str(tmp_path / "missing"),
    }
    with pytest.raises(SettingsInvalid, match="missing"):
        choose_identities(load_settings(issuers=[issuer]), SecretStr(""), Watch())


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.0.0.9"])
def test_loopback_is_fine(host: str) -> None:
    check_address(Settings(host=host))


def test_file_then_environment_then_argument(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.toml"
    config.write_text('port = 1\nworkers = 3\nhost = "localhost"\nmodels = ["/a", "/b"]')
    monkeypatch.setenv("HMZ_BACKEND_PORT", "2")
    monkeypatch.setenv("HMZ_BACKEND_WORKERS", "4")
    settings = load_settings(config, port=5, engine=None)
    assert (settings.port, settings.workers, settings.host) == (5, 4, "localhost")
    assert settings.models == (Path("/a"), Path("/b"))
    monkeypatch.setenv("HMZ_BACKEND_CONFIG", str(config))
    monkeypatch.setenv("HMZ_BACKEND_MODELS", '["/c"]')
    assert load_settings().host == "localhost"
    assert load_settings().models == (Path("/c"),)


@pytest.mark.parametrize(
    ("text", "word"), [("port = 'x'", "port"), ("nonsense = 1", "nonsense"), ("port =", "read")]
)
def test_bad_files_name_what_is_wrong(tmp_path: Path, text: str, word: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(text)
    with pytest.raises(SettingsInvalid, match=word):
        load_settings(config)
    with pytest.raises(SettingsInvalid):
        load_settings(tmp_path / "missing.toml")


def test_the_token_is_given_or_made_up_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HMZ_TOKEN", raising=False)
    first, made_up = chosen_token(Settings())
    assert made_up
    assert len(first.get_secret_value()) > 30
    monkeypatch.setenv("HMZ_TOKEN", "from the environment")
    assert chosen_token(Settings())[0].get_secret_value() == "from the environment"
    settings = load_settings(token="from an argument")
    assert chosen_token(settings) == (settings.token, False)
    assert "argument" not in repr(settings)
    with pytest.raises(SettingsInvalid):
        chosen_token(load_settings(token="short"))
