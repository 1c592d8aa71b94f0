"""So many runs of one person go at a time; the others wait in order, and know where they stand."""

import pytest

from hmz_backend.runs.entrance import Entrance
from hmz_backend.runs.idleness import ASIDE_S, Idleness
from hmz_backend.shares.turn import Share
from napari_hmz.errors import LimitReached, ServerBusy

A, B = Share(("i", "a")), Share(("i", "b"))
WATCHED = Share(("i", "a"), urgency="interactive")


def test_the_next_one_goes_when_one_has_ended() -> None:
    entrance = Entrance(at_once=2)
    places = [entrance.enter(A, f"r{number}") for number in range(5)]
    assert [place.admitted.is_set() for place in places] == [True, True, False, False, False]
    assert [entrance.ahead(place) for place in places] == [0, 0, 1, 2, 3]
    assert entrance.newcomer(A) == 4
    entrance.leave(places[3])  # cancelled while it waits
    entrance.leave(places[0])
    assert places[2].admitted.is_set()
    assert entrance.ahead(places[4]) == 1
    assert entrance.going(A) == ["r1", "r2"]


def test_others_and_previews_have_lines_of_their_own() -> None:
    entrance = Entrance(at_once=1)
    entrance.enter(A, "r1")
    assert [entrance.newcomer(share) for share in (A, B, WATCHED)] == [1, 0, 0]
    assert entrance.enter(WATCHED, "preview").admitted.is_set()
    assert entrance.enter(B, "r2").admitted.is_set()


def test_a_run_whose_image_does_not_come_takes_no_place() -> None:
    entrance = Entrance(at_once=1)
    lost, waits = entrance.enter(A, "lost"), entrance.enter(A, "waits")
    entrance.stand_aside(lost, aside=True)
    assert waits.admitted.is_set()
    entrance.stand_aside(lost, aside=False)  # its client is back: both go
    third = entrance.enter(A, "third")
    assert not third.admitted.is_set()
    entrance.leave(waits)
    assert not third.admitted.is_set()
    entrance.leave(lost)
    assert third.admitted.is_set()


def test_too_many_are_refused_for_a_while() -> None:
    entrance = Entrance(at_once=1, waiting_most=2, open_most=4)
    lost, *_ = [entrance.enter(A, f"r{number}") for number in range(3)]
    with pytest.raises(LimitReached) as refused:
        entrance.check(A)
    assert refused.value.status == 429
    assert refused.value.retry_after_s > 1
    entrance.check(B)
    entrance.enter(B, "r4")
    with pytest.raises(ServerBusy) as full:
        entrance.check(B)
    assert full.value.status == 503
    entrance.stand_aside(lost, aside=True)
    entrance.check(B)


def test_runs_whose_image_never_comes_cannot_be_piled_up() -> None:
    entrance = Entrance(at_once=1, waiting_most=3)
    for number in range(3):
        entrance.check(A)
        entrance.stand_aside(entrance.enter(A, f"lost {number}"), aside=True)
    with pytest.raises(LimitReached):
        entrance.check(A)


def test_without_limits_all_go() -> None:
    entrance = Entrance()
    assert all(entrance.enter(A, str(number)).admitted.is_set() for number in range(50))
    entrance.check(A)
    assert entrance.newcomer(A) == 0


def test_a_run_idles_after_a_while_without_chunks_and_goes_on_with_the_next() -> None:
    told: list[bool] = []

    def note(*, aside: bool) -> None:
        told.append(aside)

    idleness = Idleness(note)
    idleness.look(awaits_chunks=True)
    assert told == []
    idleness._moved_at_s -= 2 * ASIDE_S
    idleness.look(awaits_chunks=False)
    assert told == []
    idleness.look(awaits_chunks=True)
    idleness.look(awaits_chunks=True)
    assert told == [True]
    idleness.moved()
    idleness.look(awaits_chunks=True)
    assert told == [True, False]
