"""Packages to break: copies of `components`, changed as each test asks."""

import hashlib
import io
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruyaml import YAML

from hmz_backend.zoo.shipped import shipped_models

Document = dict[str, Any]
Change = Callable[[Document], None]
Edit = Callable[[Path, Change], None]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the 3-D `components` package."""
    return shutil.copytree(shipped_models() / "components", tmp_path / "components")


@pytest.fixture
def edit() -> Edit:
    """Change the description of a package."""

    def change_description(folder: Path, change: Change) -> None:
        path = folder / "rdf.yaml"
        document = YAML(typ="safe").load(path.read_text())
        change(document)
        text = io.StringIO()
        yaml = YAML()
        yaml.default_flow_style = False
        yaml.dump(document, text)
        path.write_text(text.getvalue())

    return change_description


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any try to reach the network fails."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
