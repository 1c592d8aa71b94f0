"""What is loaded when a run begins is not collected while it goes, and is again afterwards."""

import gc
import weakref

from hmz_widgets.collector import Truce


class Loop:
    """Holds itself: only the collector can take it away."""

    def __init__(self) -> None:
        self.me = self


def test_what_was_there_is_left_alone_until_the_end() -> None:
    before = weakref.ref(Loop())
    truce = Truce()
    made_since = weakref.ref(Loop())
    gc.collect()
    assert before() is not None
    assert made_since() is None
    truce.end()
    truce.end()
    gc.collect()
    assert before() is None
    assert gc.get_freeze_count() == 0
