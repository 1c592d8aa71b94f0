"""Run checks side by side; one that hangs or breaks is a finding, and holds nothing up."""

import threading
import time
from collections.abc import Mapping, Sequence

from hmz_backend.check.finding import Finding, wrong
from hmz_backend.check.patience import ALL_S
from hmz_backend.check.protocol import Check
from napari_hmz.errors import HmzError

Found = Mapping[str, Sequence[Finding]]
"""Findings by subject, in the order in which the checks were given."""


def look_at_all(checks: Sequence[Check], limit_s: float = ALL_S) -> Found:
    """Return what all checks find, after `limit_s` seconds at the latest."""
    found: dict[int, Sequence[Finding]] = {}

    def look(place: int, check: Check) -> None:
        found[place] = _looked(check)

    threads = [
        # A thread that hangs must not keep the command from ending.
        threading.Thread(target=look, args=(place, check), daemon=True)
        for place, check in enumerate(checks)
    ]
    for thread in threads:
        thread.start()
    end_s = time.monotonic() + limit_s
    for thread in threads:
        thread.join(max(0.0, end_s - time.monotonic()))
    late = [wrong(f"There was no answer within {limit_s:g} s.", "Look why, and check again.")]
    by_subject: dict[str, list[Finding]] = {}
    for place, check in enumerate(checks):
        by_subject.setdefault(check.subject, []).extend(found.get(place, late))
    return by_subject


def _looked(check: Check) -> Sequence[Finding]:
    try:
        return check.look()
    except HmzError as error:
        return [wrong(error.detail, error.remedy)]
    except Exception as error:  # noqa: BLE001 # a check that breaks must not hide the others
        # Not its text: it may show a secret.
        words = f"This could not be looked at: {type(error).__name__}."
        return [wrong(words, "Please report it to the developers of napari-hmz.")]
