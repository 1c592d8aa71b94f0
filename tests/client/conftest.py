from collections.abc import Iterator

import pytest

from napari_hmz.testing.scripted_server import ScriptedServer


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server
