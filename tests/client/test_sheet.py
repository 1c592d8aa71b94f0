"""Tables: rows in raster order whatever the order of blocks, and as figures in the world."""

import numpy as np
import pytest

from napari_hmz.counts import counts_of
from napari_hmz.objects import row_table
from napari_hmz.places import places
from napari_hmz.schema import OutputResult, OutputTable
from napari_hmz.sheet import Sheet
from napari_hmz.testing.fake_run import fake_run

POINTS = OutputTable(
    name="spots",
    kind="points",
    axes=("t", "y", "x"),
    columns=("t", "y", "x", "score"),
    voxel_size={"y": 0.5, "x": 0.25},
    units={"y": "micrometer", "x": "micrometer"},
    translation={"y": 10.0, "x": 0.0, "t": 0.0},
)
BOXES = OutputTable(
    name="cells",
    kind="boxes",
    axes=("y", "x"),
    columns=("y_start", "y_stop", "x_start", "x_stop"),
)


def test_blocks_that_come_in_any_order_give_one_table() -> None:
    sheet = Sheet(POINTS)
    assert sheet.rows.shape == (0, 4)
    sheet.add("rows/2", np.array([[0, 9, 1, 0.5], [1, 0, 0, 0.6]]))
    sheet.add("rows/1", np.array([[0, 2, 7, 0.7]]))
    sheet.add("rows/1", np.array([[0, 2, 7, 0.7]]))  # told again after an interruption
    assert sheet.rows[:, :3].tolist() == [[0, 2, 7], [0, 9, 1], [1, 0, 0]]


def test_a_box_lies_where_its_centre_is() -> None:
    rows = np.array([[3, 4, 0, 2.0], [0, 10, 5, 6]])
    assert places(BOXES, rows).tolist() == [[3, 0.5], [4.5, 5]]


def test_rows_have_their_place_in_the_world_and_their_own_figures() -> None:
    table = row_table(POINTS, np.array([[0, 2, 8, 0.7], [1, 4, 0, 0.5]]))
    keys = [column.key for column in table.columns]
    assert keys == ["y_um", "x_um", "t_index", "y_index", "x_index", "score"]
    assert table.column("y_um").values.tolist() == [11.0, 12.0]
    assert table.column("x_um").values.tolist() == [2.0, 0.0]
    assert "".join(table.csv_lines()).splitlines()[0].startswith("id,y_um,x_um,t_index")


@pytest.mark.parametrize(
    ("kind", "count", "text"),
    [("points", 1, "1 point"), ("boxes", 2, "2 boxes"), ("table", 0, "0 rows")],
)
def test_what_was_found_is_counted_in_its_own_word(kind: str, count: int, text: str) -> None:
    run = fake_run()
    table = POINTS.model_copy(update={"kind": kind})
    run = run.model_copy(
        update={
            "plan": run.plan.model_copy(update={"tables": (table,)}),
            "results": (OutputResult(name="spots", objects=count),),
        }
    )
    assert counts_of(run) == [("spots", text)]
