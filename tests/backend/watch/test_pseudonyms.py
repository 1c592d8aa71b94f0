"""Pseudonyms: the same person has the same one, and it does not lead back without the key."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from hmz_backend.watch.pseudonyms import KEY_FILE, Pseudonyms, kept_key


def test_the_key_outlives_a_restart_and_is_for_the_owner_alone(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(lambda _: kept_key(tmp_path), range(32)))
    assert len(keys) == 1, "of several processes that begin, one makes it"
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]
    assert Pseudonyms(keys.pop()).of("https://a", "b") == Pseudonyms(kept_key(tmp_path)).of(
        "https://a", "b"
    )


@given(st.text(), st.text(), st.text(), st.text())
def test_two_persons_have_two(issuer: str, subject: str, other: str, another: str) -> None:
    made = Pseudonyms(b"key")
    same = (issuer, subject) == (other, another)
    assert (made.of(issuer, subject) == made.of(other, another)) == same


def test_another_key_gives_others() -> None:
    assert Pseudonyms(b"one").of("i", "s") != Pseudonyms(b"two").of("i", "s")
