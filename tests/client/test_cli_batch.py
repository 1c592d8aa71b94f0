"""What `hmz batch` tells: a line for each image, the sum, and how to go on."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from napari_hmz.batch import Job, Outcome
from napari_hmz.cli.batch import sum_up, told
from napari_hmz.errors import BackendUnreachable, HmzError, SourceUnreadable
from napari_hmz.testing.fake_run import fake_run

JOBS = [Job(Path(f"{name}.tif"), Path(f"{name}.ome.zarr")) for name in "abc"]
OUTCOMES = [
    Outcome(JOBS[0], "done", run=fake_run()),
    Outcome(JOBS[1], "kept"),
    Outcome(JOBS[2], "failed", error=SourceUnreadable("It is cut short.")),
]


def ending_with(error: BaseException) -> Iterator[Outcome]:
    yield OUTCOMES[0]
    raise error


def test_each_image_has_a_line_as_it_ends(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(iter(OUTCOMES), 3, as_json=False) == OUTCOMES
    lines = capsys.readouterr().err.splitlines()
    assert [line[:3] for line in lines] == ["1/3", "2/3", "3/3"]
    assert "c.tif: failed: It is cut short. [source-unreadable]" in lines[2]


def test_each_image_is_a_document_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    told(iter(OUTCOMES), 3, as_json=True)
    documents = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [one["state"] for one in documents] == ["done", "kept", "failed"]
    assert documents[2]["error"]["code"] == "source-unreadable"


@pytest.mark.parametrize("as_json", [False, True])
def test_a_batch_that_is_broken_off_says_how_to_go_on(
    capsys: pytest.CaptureFixture[str], *, as_json: bool
) -> None:
    with pytest.raises(BackendUnreachable):
        told(ending_with(BackendUnreachable()), 3, as_json=as_json)
    said = capsys.readouterr().err
    assert ("1 of 3 images" in said) != as_json


def test_the_sum_names_what_has_failed_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    sum_up(OUTCOMES, Path("out"), as_json=False)
    said = capsys.readouterr().out
    assert "1 done now" in said
    assert "1 done already" in said
    assert SourceUnreadable.default_remedy in said


def test_the_sum_does_not_name_thousands(capsys: pytest.CaptureFixture[str]) -> None:
    error: HmzError = SourceUnreadable()
    failed = [Outcome(Job(Path(f"{n}.tif"), Path("o")), "failed", error=error) for n in range(999)]
    sum_up(failed, Path("out"), as_json=False)
    said = capsys.readouterr().out
    assert "999 failed" in said
    assert len(said.splitlines()) < 30
