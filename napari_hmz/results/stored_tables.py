"""The tables that a store of ours holds: points, boxes and other rows, as they were written."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from napari_hmz.errors import SourceUnreadable
from napari_hmz.places import column_key
from napari_hmz.results.stored import own_attributes
from napari_hmz.schema import OutputTable


@dataclass(frozen=True, eq=False)
class StoredTable:
    """One table of a store.

    Parameters
    ----------
    table
        What its columns are.
    rows
        (row, column)
    provenance
        Of the run that made it, if that is known.
    """

    table: OutputTable
    rows: NDArray[np.float64]
    provenance: Mapping[str, Any] | None = None


def stored_tables(path: Path) -> tuple[StoredTable, ...]:
    """Return the tables of a store of ours that are there: those of a run that is done.

    Raises
    ------
    SourceUnreadable
        If it is damaged.
    """
    own = own_attributes(path)
    found = []
    try:
        for told in own.get("tables", ()):
            table, place = OutputTable.model_validate(told), path / str(told["path"])
            if not place.resolve().is_relative_to(path.resolve()):
                raise SourceUnreadable(f"{path} names a table outside of itself.")
            if place.is_file():
                found.append(StoredTable(table, _rows(table, place), own.get("provenance")))
    except (KeyError, TypeError, ValueError, ValidationError, OSError) as error:
        raise SourceUnreadable(f"{path} is damaged: {error!r}.") from error
    return tuple(found)


def _rows(table: OutputTable, place: Path) -> NDArray[np.float64]:
    with place.open(newline="") as file:
        lines = csv.reader(file)
        named = next(lines)
        places = [named.index(column_key(table, name)) for name in table.columns]
        rows = [[float(line[at]) for at in places] for line in lines]
    return np.array(rows, np.float64).reshape(-1, len(table.columns))
