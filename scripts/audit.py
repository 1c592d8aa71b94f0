"""Ask whether a package that is installed here has a known vulnerability (`pip-audit`).

Leaves with 0 if all were looked up and none has one, with 1 if one has that `.ci/exceptions.toml`
does not know, and with 2 if it cannot be told: nobody answers, or knows the packages. A silence is
no clean bill, so it is said aloud.
"""

import datetime
import json
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EXCEPTIONS = Path(__file__).parents[1] / ".ci" / "exceptions.toml"
CLEAN, VULNERABLE, UNKNOWN = 0, 1, 2
OWN = "napari-hmz"
LONGEST_S = 300


@dataclass(frozen=True, slots=True)
class Excepted:
    """A vulnerability that is known, and why it is borne, until a day."""

    id: str
    package: str
    until: datetime.date
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of it, in words and as the exit status."""

    status: int
    words: str


def exceptions(text: str) -> list[Excepted]:
    """Read which vulnerabilities are borne."""
    return [Excepted(**each) for each in tomllib.loads(text).get("vulnerability", ())]


def verdict(
    report: Mapping[str, Any] | None, known: Sequence[Excepted], today: datetime.date
) -> Verdict:
    """Judge what `pip-audit` has found.

    Parameters
    ----------
    report
        Its JSON; none: it gave none.
    known
        What is borne.
    today
        After whose days an exception counts no longer.
    """
    packages = (report or {}).get("dependencies", [])
    asked = [each for each in packages if each["name"].lower() != OWN]
    skipped = [each["name"] for each in asked if "skip_reason" in each]
    borne = {(each.package, each.id) for each in known if each.until >= today}
    bad = [
        f"{each['name']} {each['version']}: {fault['id']}, mended in "
        f"{', '.join(fault['fix_versions']) or 'no version yet'}"
        for each in asked
        for fault in each.get("vulns", ())
        if not any((each["name"], name) in borne for name in (fault["id"], *fault["aliases"]))
    ]
    if bad:
        return Verdict(VULNERABLE, "\n".join(bad))
    if not asked or skipped:
        missing = f"{len(skipped)} of {len(asked)} packages" if asked else "the packages"
        return Verdict(UNKNOWN, f"NOT AUDITED: nobody here knows of {missing} what is wrong.")
    return Verdict(CLEAN, f"{len(asked)} packages, no known vulnerability.")


def ask() -> Mapping[str, Any] | None:
    """Return what `pip-audit` says of this environment; none if it says nothing of use."""
    command = [sys.executable, "-m", "pip_audit", "--progress-spinner", "off"]
    command += ["--skip-editable", "--timeout", "10", "--format", "json"]
    try:
        done = subprocess.run(  # noqa: S603 # a tool of this environment
            command, capture_output=True, text=True, check=False, timeout=LONGEST_S
        )
        report: Mapping[str, Any] = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return None
    return report


def main() -> int:
    """Ask, and say what came of it."""
    known = exceptions(EXCEPTIONS.read_text("utf-8"))
    found = verdict(ask(), known, datetime.datetime.now(datetime.UTC).date())
    sys.stdout.write(f"audit: {found.words}\n")
    return found.status


if __name__ == "__main__":
    sys.exit(main())
