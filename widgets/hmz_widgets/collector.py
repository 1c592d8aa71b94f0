"""Python's garbage collector, kept from holding up the window while results stream in.

A full collection looks at every object that napari has loaded: 150 to 200 ms in which no thread of
Python goes on, the window's neither, whichever thread it was that had it begin. What is there when
a run begins is set aside instead; only what the run makes is looked at from then on, which takes
no time. At the end all of it is looked after again.
"""

import gc


class Truce:
    """From its making to its end, nothing that is there by then is looked at.

    Of several at a time, the first that ends ends all: then a collection may hold up the others.
    """

    def __init__(self) -> None:
        self._holds = True
        gc.freeze()

    def end(self) -> None:
        """Look after everything again."""
        if self._holds:
            self._holds = False
            gc.unfreeze()
