"""When the outputs of runs that are done come to the disk, and their work folders go."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from hmz_backend.runs.folder import RunFolder
from hmz_backend.runs.parts import Parts
from hmz_backend.runs.settling import Settling


class Threads:
    """In place of the backend's: does what it is given at once."""

    async def in_thread(self, work: Callable[..., Any], *args: object) -> Any:  # noqa: ANN401 # any function
        return work(*args)


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each sync, where there would be one."""
    found: list[str] = []
    monkeypatch.setattr("os.sync", lambda: found.append("sync"), raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    return found


def folders(path: Path, count: int) -> list[RunFolder]:
    found = [RunFolder(path / f"run{number}") for number in range(count)]
    for each in found:
        each.work("labels").mkdir(parents=True)
        each.output("labels").mkdir(parents=True)
    return found


def run(check: Callable[[Settling], Awaitable[None]]) -> None:
    async def inside() -> None:
        async with asyncio.timeout(5):
            await check(Settling(cast(Parts, Threads())))

    asyncio.run(inside())


def test_runs_that_end_together_are_settled_with_one_sync(tmp_path: Path, syncs: list[str]) -> None:
    ended = folders(tmp_path, 3)

    async def check(found: Settling) -> None:
        for each in ended:
            found.add(each)
        assert not any(each.is_settled for each in ended)
        while not all(each.is_settled for each in ended):  # noqa: ASYNC110 # only the disk tells
            await asyncio.sleep(0.005)
        assert syncs == ["sync"]
        assert all(each.output("labels").is_dir() for each in ended)

    run(check)


def test_a_backend_that_stops_settles_what_waits(tmp_path: Path, syncs: list[str]) -> None:
    (ended,) = folders(tmp_path, 1)

    async def check(found: Settling) -> None:
        await found.stop()
        found.add(ended)
        await found.stop()
        assert (ended.is_settled, syncs) == (True, ["sync"])

    run(check)


def test_a_folder_that_is_gone_by_then_is_no_error_and_a_broken_disk_is_told(
    tmp_path: Path,
    syncs: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (ended,) = folders(tmp_path, 1)

    def broken(_folder: RunFolder) -> None:
        raise OSError("no such device")

    async def check(found: Settling) -> None:
        found.add(RunFolder(tmp_path / "removed"))
        await found.stop()
        assert not caplog.records
        with monkeypatch.context() as patch:
            patch.setattr(RunFolder, "clear_work", broken)
            found.add(ended)
            await found.stop()
        assert "no such device" in caplog.text
        found.add(ended)
        await found.stop()
        assert (ended.is_settled, len(syncs)) == (True, 3)

    run(check)
