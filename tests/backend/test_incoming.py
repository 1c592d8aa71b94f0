"""What is on its way in is bounded, for each person and for all."""

import pytest

from hmz_backend.routes.incoming import Incoming
from napari_hmz.errors import LimitReached, ServerBusy

ANN, BOB, EVE = ("i", "ann"), ("i", "bob"), ("i", "eve")


def test_one_person_has_so_much_under_way_and_others_are_not_refused() -> None:
    incoming = Incoming(most_bytes=30, most_bytes_each=10)
    with incoming.body(ANN, 6):
        with pytest.raises(LimitReached), incoming.body(ANN, 5):
            pass
        with incoming.body(ANN, 4), incoming.body(BOB, 10):
            pass
    with incoming.body(ANN, 10):
        pass


def test_all_together_have_so_much_under_way() -> None:
    incoming = Incoming(most_bytes=15, most_bytes_each=10)
    with incoming.body(ANN, 8):
        with pytest.raises(ServerBusy), incoming.body(BOB, 8):
            pass
        with incoming.body(EVE, 7):
            pass


def test_a_body_that_is_larger_than_a_part_comes_alone() -> None:
    incoming = Incoming(most_bytes=15, most_bytes_each=10)
    with incoming.body(ANN, 100):
        pass
