"""The harness that kills: what it takes for a difference, and what a loss of power spares."""

import os
import random
import time
from pathlib import Path

import pytest

from hmz_backend.testing.faults.moments import Moment
from hmz_backend.testing.faults.power import drop_unsynced, lost_blocks
from hmz_backend.testing.faults.remains import Remains
from hmz_backend.testing.faults.synced import write_down_syncs
from hmz_backend.testing.faults.tally import Tally


def chance(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 # repeatable, guards nothing


def test_a_loss_of_power_spares_what_was_synced_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are renamed after they are synced; in one folder, that is synced as well."""
    for name in ("fsync", "sync"):
        monkeypatch.setattr(os, name, getattr(os, name))  # put back afterwards
    write_down_syncs(tmp_path / "log")
    data = tmp_path / "data"
    for folder in ("synced", "unnamed"):
        (data / folder).mkdir(parents=True)
        for number in range(20):
            with (data / folder / f"{number}.part").open("wb") as file:
                file.write(b"body")
                file.flush()
                os.fsync(file)
            time.sleep(0.01)  # times of files are those of the kernel's last tick
            (data / folder / f"{number}.part").rename(data / folder / str(number))
    handle = os.open(data / "synced", os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)
    time.sleep(0.01)
    with (data / "synced/0").open("ab") as file:
        file.write(bytes(1000))
    hurt = drop_unsynced(data, tmp_path / "log", chance(3))
    assert {path.parent.name for path in hurt if path.name != "0"} == {"unnamed"}
    assert all((data / f"synced/{number}").read_bytes() == b"body" for number in range(1, 20))
    assert (data / "synced/0").read_bytes()[:4] == b"body"
    assert 4 <= (data / "synced/0").stat().st_size < 1004
    assert 10 < len(hurt) < 21  # some are there by luck
    (data / "unnamed/again").write_bytes(b"body")
    time.sleep(0.02)  # times of files are those of the kernel's last tick
    os.sync()
    assert not drop_unsynced(data, tmp_path / "log", chance(0))


def test_a_blended_chunk_is_lost_with_the_tiles_around_it() -> None:
    chunk, tile = Path("runs/r/outputs/found/c/0/0/0"), Path("runs/r/work/found/26.npy")
    assert lost_blocks([chunk, tile], blended=False) == {0, 26}
    assert len(lost_blocks([chunk], blended=True)) == 8
    assert lost_blocks([Path("runs/r/brief.json")], blended=True) == set()


def test_remains_differ_by_bytes_and_by_files_but_not_by_the_words_of_a_run(tmp_path: Path) -> None:
    for name, body, run in (("one", b"\1\2\3", "a"), ("other", b"\1\5\3\4", "b")):
        for side in ("client", "backend"):
            (tmp_path / name / side).mkdir(parents=True)
            (tmp_path / name / side / "chunk").write_bytes(body)
            (tmp_path / name / side / "zarr.json").write_text(
                f'{{"attributes": {{"run": "{run}"}}}}'
            )
    (tmp_path / "one/client/stray").write_bytes(b"xyz")
    one, other = (
        Remains.of(tmp_path / name / "client", tmp_path / name / "backend")
        for name in ("one", "other")
    )
    assert one.differing_bytes(other) == 2 + 2 + 3
    assert one.strays(other) == ["stray"]
    assert one.differing_bytes(one) == 0


def test_a_tally_counts_from_its_moment(tmp_path: Path) -> None:
    tally = Tally(tmp_path / "tally")
    assert tally.begun() == 0
    tally.file.write_text("begun a\nended a\n")
    later = tally.from_now()
    with tally.file.open("a") as file:
        file.write("begun b\nbegun b\nended b\n")
    assert (tally.begun(), later.begun(), later.tiles()) == (3, 2, 1)


def test_a_moment_comes_after_its_steps_or_not_at_all() -> None:
    count = iter(range(100))
    assert Moment(5, 0.0).await_it(lambda: next(count), lambda: False)
    assert next(count) == 6
    assert not Moment(5, 0.0).await_it(lambda: 4, lambda: True)
    drawn = [Moment.draw(chance(seed), steps=39, tile_s=0.1) for seed in range(999)]
    assert {moment.steps for moment in drawn} == set(range(40))
