import errno
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_hmz.errors import SourceUnreadable
from napari_hmz.sources import attempts, open_source
from napari_hmz.sources.attempts import attempted


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "PAUSES_S", (0.0, 0.0, 0.0))


def failing(times: int, error: Exception) -> Callable[[], int]:
    """Return what fails a number of times, and then counts its calls."""
    calls = 0

    def read() -> int:
        nonlocal calls
        calls += 1
        if calls <= times:
            raise error
        return calls

    return read


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT])
def test_what_passes_is_tried_again(code: int) -> None:
    assert attempted(failing(3, OSError(code, "share"))) == 4
    with pytest.raises(OSError, match="share"):
        attempted(failing(4, OSError(code, "share")))


@pytest.mark.parametrize("error", [FileNotFoundError("x"), PermissionError("x"), ValueError("x")])
def test_what_does_not_pass_is_told_at_once(error: Exception) -> None:
    read = failing(1, error)
    with pytest.raises(type(error)):
        attempted(read)
    assert read() == 2


def test_a_share_that_stays_away_is_told_with_the_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zarr.create_array(tmp_path / "a", data=np.ones((8, 8), np.uint8), chunks=(4, 4))
    source = open_source(tmp_path / "a")
    tried = 0

    def stale(*_: object) -> None:
        nonlocal tried
        tried += 1
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(Path, "open", stale)
    with pytest.raises(SourceUnreadable, match=r"Chunk c/0/1 of a cannot be read: .*Stale"):
        source.chunk("c/0/1")
    assert tried == 4
