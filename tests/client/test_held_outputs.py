"""What one client writes: held from the first moment on, shared by runs that are the same."""

from pathlib import Path

import pytest

from napari_hmz.errors import OutputExists, OutputInUse
from napari_hmz.held_outputs import HeldOutput, HeldOutputs
from napari_hmz.results import Claim
from napari_hmz.run_output import OutputWish
from napari_hmz.schema import OutputArray
from napari_hmz.testing.fake_run import fake_run

LABELS = OutputArray(
    name="cells",
    kind="instance-labels",
    axes=("y", "x"),
    shape={"y": 4, "x": 4},
    chunks={"y": 4, "x": 4},
    dtype="uint32",
)
FIRST, OTHER = fake_run(LABELS), fake_run(LABELS, run_id="r2")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "out.ome.zarr"


def is_free(place: Path) -> bool:
    try:
        Claim(place).release()
    except OutputInUse:
        return False
    return True


def opened(outputs: HeldOutputs, place: Path) -> HeldOutput:
    output = outputs.open(OutputWish(place), FIRST, None, None)
    assert output is not None
    return output


def test_an_output_is_held_until_it_is_closed(place: Path) -> None:
    outputs = HeldOutputs()
    with outputs.held(place) as held:
        assert held == place
        assert not is_free(place)
        output = opened(outputs, place)
    assert not is_free(place)
    output.close()
    output.close()
    assert is_free(place)


def test_an_output_is_free_again_if_the_run_could_not_be_begun(place: Path) -> None:
    with pytest.raises(ZeroDivisionError), HeldOutputs().held(place):
        1 / 0  # noqa: B018 # something goes wrong
    assert is_free(place)


def test_the_same_run_twice_in_one_client_shares_what_is_written(place: Path) -> None:
    outputs = HeldOutputs()
    with outputs.held(place):
        first = opened(outputs, place)
    with outputs.held(place, FIRST.id):
        second = opened(outputs, place)
    assert first.chunks is second.chunks
    first.close()
    assert not is_free(place)
    second.finish(FIRST, ())
    first.finish(FIRST, ())  # which it may not any more, and need not
    second.close()
    assert is_free(place)


def test_another_run_in_one_client_is_refused(place: Path) -> None:
    outputs = HeldOutputs()
    with outputs.held(place):
        output = opened(outputs, place)
    for run in (None, OTHER.id):
        with pytest.raises(OutputInUse, match="run r1"), outputs.held(place, run):
            raise AssertionError
    with outputs.held(place, FIRST.id), pytest.raises(OutputInUse, match=r"Run\.close"):
        outputs.open(OutputWish(place), OTHER, None, None)
    output.close()
    with outputs.held(place, OTHER.id):
        assert not is_free(place)


def test_an_output_of_others_is_left_to_them_if_that_will_do(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outputs, claim = HeldOutputs(), Claim(place)
    with outputs.held(place, FIRST.id, spares=True) as held:
        assert held is None
    assert "not written here" in caplog.text
    with pytest.raises(OutputInUse), outputs.held(place, FIRST.id):
        raise AssertionError
    claim.release()


def test_what_is_complete_needs_nobody_to_hold_it(place: Path) -> None:
    outputs = HeldOutputs()
    with outputs.held(place):
        output = opened(outputs, place)
        output.finish(FIRST, ())
        output.close()
    left = place.parent / ".out.ome.zarr.writing"
    left.touch()  # by a process that was killed with its last word
    with outputs.held(place, FIRST.id):
        assert not left.exists()
        assert is_free(place)


def test_nothing_is_held_for_nothing_nor_inside_an_array(tmp_path: Path) -> None:
    with HeldOutputs().held(None) as held:
        assert held is None
    (tmp_path / ".zarray").touch()
    with pytest.raises(OutputExists), HeldOutputs().held(tmp_path / "out"):
        raise AssertionError
    assert [path.name for path in tmp_path.iterdir()] == [".zarray"]
