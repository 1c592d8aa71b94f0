"""The words of a command become an open image."""

from pathlib import Path

import numpy as np
import pytest

from napari_hmz.cli.request import ImageWords, RunWords
from napari_hmz.errors import AxesMismatch
from napari_hmz.schema import InputSpec
from napari_hmz.testing.fake_card import fake_card

CHANNELS = InputSpec(name="image", axes=("c", "y", "x"), channels=("one", "two"))
CARD = fake_card({}).model_copy(update={"inputs": (CHANNELS,)})


def words(source: Path, *beside: Path) -> ImageWords:
    return ImageWords(str(source), "zyx", 0, None, None, None, tuple(map(str, beside)))


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("nuclei", "membrane"):
        np.save(tmp_path / f"{name}.npy", np.full((3, 8, 8), len(name), np.uint8))
    return tmp_path / "nuclei.npy", tmp_path / "membrane.npy"


def test_images_beside_each_other_are_channels(files: tuple[Path, Path]) -> None:
    source = words(*files).open(CARD)
    assert source.request.axes == ("c", "z", "y", "x")
    assert source.request.channel_names == ("nuclei.npy", "membrane.npy")
    assert source.read({"y": (0, 1), "x": (0, 1), "z": (0, 1)}).ravel().tolist() == [6, 8]
    source.close()


def test_images_that_do_not_match_are_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    np.save(tmp_path / "small.npy", np.zeros((3, 8, 7), np.uint8))
    with pytest.raises(AxesMismatch):
        words(files[0], tmp_path / "small.npy").open(CARD)


@pytest.mark.parametrize(("urgent", "urgency"), [(True, "interactive"), (False, "batch")])
def test_who_waits_for_a_run_says_so(urgent: bool, urgency: str) -> None:
    words = RunWords(None, None, None, None, False, None, None, False, False, urgent=urgent)
    assert words.options(CARD).get("urgency") == urgency
