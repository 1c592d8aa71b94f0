"""Whoever asks for the same again goes on with it; whoever asks for another one is told what is."""

from pathlib import Path

import pytest

from napari_hmz.errors import OutputExists
from napari_hmz.testing.fake_run import fake_run
from napari_hmz.unfinished import check_same

RUN = fake_run()


def test_the_same_from_elsewhere_is_the_same(tmp_path: Path) -> None:
    asked = RUN.request.model_copy(update={"started_by": "plugin"})
    check_same(tmp_path, RUN, asked, with_image=False)


def test_what_differs_is_named(tmp_path: Path) -> None:
    asked = RUN.request.model_copy(update={"volume": "another", "halo": {"y": 1}})
    with pytest.raises(OutputExists, match="the image, the halo differ"):
        check_same(tmp_path, RUN, asked, with_image=False)
    with pytest.raises(OutputExists, match="the copy of the image differs"):
        check_same(tmp_path, RUN, RUN.request, with_image=True)
