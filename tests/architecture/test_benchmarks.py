"""The benchmarks' own parts: an image made up on the way, and the page that figures go to."""

from pathlib import Path

import numpy as np

from benchmarks.figure import Figure
from benchmarks.generated import GeneratedSource
from benchmarks.table import machine, write_table
from napari_hmz.schema import Region
from napari_hmz.testing.source_contract import received

KEPT = Figure("a | b", 0.5, 1.0, "below", "(how)")
MISSED = Figure("c", 2.0, 1.0, "below")


def test_a_generated_image_is_what_its_chunks_say() -> None:
    source = GeneratedSource({"z": 64, "y": 64, "x": 192}, chunk_px=8, filled=0.5)
    whole = received(source)
    region: Region = {"z": (3, 13), "y": (7, 60), "x": (0, 192)}
    np.testing.assert_array_equal(source.read({}), whole)
    np.testing.assert_array_equal(source.read(region), whole[3:13, 7:60])
    empty = [source.chunk(f"c/{z}/{y}/{x}") is None for z, y, x in np.ndindex(8, 8, 24)]
    assert source.filled_bytes == (len(empty) - sum(empty)) * 8**3 * 2
    assert 384 < sum(empty) < 1152  # they lie in cubes of 4 x 4 x 4


def test_a_section_is_replaced_and_the_others_stay(tmp_path: Path) -> None:
    page = tmp_path / "figures.md"
    write_table(page, {"first": [KEPT], "second": [KEPT]}, ["long"])
    write_table(page, {"second": [MISSED]}, ["long"])
    text = page.read_text()
    assert text.count("## first") == text.count("## second") == 1
    assert "| a \\| b | 0.5 | ≤ 1 | holds | how |" in text
    assert "| c | 2 | ≤ 1 | **missed** |  |" in text
    assert text.count("a \\| b") == 1
    assert machine() in text
