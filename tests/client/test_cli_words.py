from collections.abc import Callable

import pytest
import typer

from napari_hmz.cli import words
from napari_hmz.quantities import count_text, size_text, time_text
from napari_hmz.schema import ParameterSpec, ParameterValue

SPECS = {
    "diameter": ParameterSpec(type="number", default=30),
    "planes": ParameterSpec(type="integer", default=1),
    "method": ParameterSpec(type="string", default="otsu"),
    "fast": ParameterSpec(type="boolean", default=False),
    "window": ParameterSpec(type="range", default=(1, 99)),
}


def test_regions_and_sizes_by_axis() -> None:
    assert words.by_axis("z=0:10, y=5:80", words.interval, "--region") == {
        "z": (0, 10),
        "y": (5, 80),
    }
    assert words.by_axis("y=0.5,x=.25", float, "--voxel-size") == {"y": 0.5, "x": 0.25}
    assert words.by_axis(None, int, "--block") == {}


@pytest.mark.parametrize("text", ["z", "q=1", "z=a", "z=1,z=2", "z=1,,y=2", "=3"])
def test_what_is_no_size_is_a_usage_error(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        words.by_axis(text, int, "--block")


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("diameter=30", 30),
        ("diameter=1.5e1", 15.0),
        ("planes=2", 2),
        ("method=2", "2"),
        ("method=a=b", "a=b"),
        ("fast=yes", True),
        ("fast=false", False),
        ("window=1,99.8", (1, 99.8)),
        ("window=1:99.8", (1, 99.8)),
        ("window=[1, 99.8]", (1, 99.8)),
        ("diameter=none", None),
        ("window=none", None),
        ('method="none"', "none"),
        ("diameter=wide", "wide"),
        ("unknown=4", 4),
    ],
)
def test_parameters_are_read_by_their_card(word: str, value: ParameterValue) -> None:
    found = words.parameters([word], SPECS)
    assert list(found.values()) == [value]
    assert type(next(iter(found.values()))) is type(value)


def test_a_word_without_equals_is_a_usage_error() -> None:
    with pytest.raises(typer.BadParameter):
        words.parameters(["diameter"], SPECS)


@pytest.mark.parametrize(
    ("text", "read", "message"),
    [
        ("w=3", int, "'w' is no axis; there are t, c, z, y, x."),
        ("3", int, "'3' is not AXIS=VALUE, as z=32."),
        ("z=three", int, "'three' is no value for z, as 32 is."),
        ("z=0-10", words.interval, "'0-10' is no value for z, as 0:10 is."),
        ("z=wide", float, "'wide' is no value for z, as 0.3 is."),
        ("z=1,z=2", int, "the axis z is given twice."),
    ],
)
def test_a_wrong_word_is_named_with_a_right_one(
    text: str, read: Callable[[str], object], message: str
) -> None:
    with pytest.raises(typer.BadParameter) as raised:
        words.by_axis(text, read, "--block")
    assert raised.value.message == message


def test_channels() -> None:
    assert words.indices("0,2", "--channels") == (0, 2)
    assert words.channel("1") == 1
    assert words.channel("DAPI") == "DAPI"
    with pytest.raises(typer.BadParameter):
        words.indices("0,b", "--channels")


def test_quantities() -> None:
    assert (size_text(512), size_text(1536), size_text(3 * 2**40)) == (
        "512 B",
        "1.5 KiB",
        "3.0 TiB",
    )
    assert (count_text(12), count_text(3_932_160)) == ("12", "3.9 M")
    assert time_text(0.02) == "under 0.1 s"
    assert (time_text(13.94), time_text(59.7)) == ("14 s", "1 min 00 s")
    assert time_text(443 * 3600 + 60) == "18 days 11 h"
    assert (time_text(3.21), time_text(61), time_text(7322)) == (
        "3.2 s",
        "1 min 01 s",
        "2 h 02 min",
    )
