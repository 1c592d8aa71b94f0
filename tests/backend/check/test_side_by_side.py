"""A check that hangs or breaks holds nothing up, and hides nothing."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hmz_backend.check.finding import Finding, ok
from hmz_backend.check.side_by_side import look_at_all
from napari_hmz.errors import SettingsInvalid


@dataclass(frozen=True)
class Told:
    subject: str
    work: Callable[[], Sequence[Finding]]

    def look(self) -> Sequence[Finding]:
        return self.work()


def fine() -> list[Finding]:
    return [ok("Fine.")]


def test_what_hangs_is_a_finding_and_the_others_are_there() -> None:
    never = threading.Event()

    def hang() -> list[Finding]:
        never.wait(60)
        return fine()

    began_s = time.monotonic()
    found = look_at_all([Told("slow", hang), Told("quick", fine)], limit_s=0.3)
    never.set()
    assert time.monotonic() - began_s < 20
    assert found["quick"] == fine()
    assert (found["slow"][0].level, "0.3 s" in found["slow"][0].words) == ("wrong", True)


def test_they_run_at_the_same_time() -> None:
    together = threading.Barrier(8)

    def meet() -> list[Finding]:
        together.wait(60)  # breaks if one of them is missing
        return fine()

    found = look_at_all([Told(str(number), meet) for number in range(8)], limit_s=60)
    assert list(found) == [str(number) for number in range(8)]
    assert all(each == fine() for each in found.values())


def test_what_breaks_is_a_finding_without_its_text() -> None:
    def break_down() -> list[Finding]:
        raise ValueError("the secret is geheimnis")

    def refuse() -> list[Finding]:
        raise SettingsInvalid("The file is not there.", remedy="Make it.")

    found = look_at_all([Told("broken", break_down), Told("refused", refuse)])
    assert "ValueError" in found["broken"][0].words
    assert "geheimnis" not in str(found)
    assert (found["refused"][0].words, found["refused"][0].remedy) == (
        "The file is not there.",
        "Make it.",
    )


def test_one_subject_may_have_several_checks() -> None:
    found = look_at_all([Told("a", fine), Told("b", fine), Told("a", fine)])
    assert {subject: len(each) for subject, each in found.items()} == {"a": 2, "b": 1}
