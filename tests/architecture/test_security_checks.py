"""The checks of `scripts/security` find what they are there for, and are never silently content."""

import datetime
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCAN = runpy.run_path(str(ROOT / "scripts" / "scan_secrets.py"))
AUDIT = runpy.run_path(str(ROOT / "scripts" / "audit.py"))
KNOWN = (ROOT / ".ci" / "exceptions.toml").read_text("utf-8")
TODAY = datetime.date(2026, 11, 28)
# In pieces, so that this file has none.
PLANTED = {
    "aws.py": ("AKIA", "IOSFODNN7QRSTUVW"),
    "key.pem": ("-----BEGIN RSA ", "PRIVATE KEY-----"),
    "url.toml": ("https://ann:", "9sdf8sdf@example.org"),
    "github.sh": ("ghp_", "a1b2c3d4e5f6a7b8c9d0a1b2c3d4e5f6a7b8"),
    "random.json": ('{"x": "', 'q7Zx0vWk3LpB9sTf2RyNc8HdJm5Eu1Ag"}'),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_secret_is_found(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("nothing\n" + "".join(PLANTED[name]) + "\n")
    found = SCAN["scan"](tmp_path, [name])
    assert {(each.path, each.line) for each in found} == {(name, 2)}
    (told,) = SCAN["faults"](found[:1], [])
    assert PLANTED[name][1] not in told, "it is not told again"


def test_an_exception_that_nothing_needs_is_a_fault() -> None:
    known = SCAN["Excepted"]("tests/*", "Private Key", "a reason")
    found = SCAN["Found"]("tests/a.py", 3, "Private Key")
    assert not list(SCAN["faults"]([found], [known]))
    assert len(list(SCAN["faults"]([], [known]))) == 1


def test_every_exception_has_its_reason() -> None:
    for each in [*SCAN["exceptions"](KNOWN), *AUDIT["exceptions"](KNOWN)]:
        assert len(each.reason) > 8


def package(name: str, *faults: str, skipped: bool = False) -> dict[str, Any]:
    if skipped:
        return {"name": name, "skip_reason": "not found"}
    vulns = [{"id": each, "aliases": ["CVE-" + each], "fix_versions": []} for each in faults]
    return {"name": name, "version": "1.0", "vulns": vulns}


OWN = package("napari-hmz", skipped=True)
GOOD, BAD, LOST = package("numpy"), package("old", "X-1"), package("lost", skipped=True)


@pytest.mark.parametrize(
    ("report", "status"),
    [
        ({"dependencies": [OWN, GOOD]}, 0),
        ({"dependencies": [GOOD, BAD]}, 1),
        ({"dependencies": [LOST, BAD]}, 1),
        ({"dependencies": [GOOD, LOST]}, 2),
        ({"dependencies": [OWN]}, 2),
        ({"dependencies": []}, 2),
        ({}, 2),
        (None, 2),
    ],
)
def test_what_was_not_looked_up_is_not_taken_for_sound(
    report: dict[str, Any] | None, status: int
) -> None:
    found = AUDIT["verdict"](report, [], TODAY)
    assert found.status == status
    assert ("NOT AUDITED" in found.words) == (status == 2)


@pytest.mark.parametrize(
    ("id_", "days", "status"), [("X-1", 1, 0), ("CVE-X-1", 0, 0), ("X-1", -1, 1), ("X-2", 1, 1)]
)
def test_an_exception_counts_until_its_day(id_: str, days: int, status: int) -> None:
    until = TODAY + datetime.timedelta(days=days)
    known = AUDIT["Excepted"](id_, "old", until, "a reason")
    assert AUDIT["verdict"]({"dependencies": [BAD]}, [known], TODAY).status == status
