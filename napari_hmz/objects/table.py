"""The table of objects: one row for each, one column per measure."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hmz.errors import DiskFull, OutputUnwritable
from napari_hmz.results.disk import write_whole, writing

_ROWS_AT_ONCE = 10_000


@dataclass(frozen=True, eq=False)
class Column:
    """One measure of all objects.

    Parameters
    ----------
    name
        What is measured, as `centroid_z`.
    unit
        In short, as `um`; empty for a number of something.
    values
        One per object.
    """

    name: str
    unit: str
    values: NDArray[Any]

    @property
    def key(self) -> str:
        """Name and unit in one word, as `centroid_z_um`: how files name the column."""
        return f"{self.name}_{self.unit}" if self.unit else self.name

    @property
    def title(self) -> str:
        """Name and unit for people, as `centroid z (µm)`."""
        words = self.name.replace("_", " ")
        unit = self.unit.replace("um", "µm").replace("2", "²").replace("3", "³")
        return f"{words} ({unit})" if unit else words


@dataclass(frozen=True, eq=False)
class ObjectTable:
    """What is known of objects, in ascending order of their labels or numbers.

    Parameters
    ----------
    labels
        The label of each object.
    columns
        The measures, in the order in which they are shown.
    heading
        What the labels are called.
    """

    labels: NDArray[np.int64] | NDArray[np.uint64]
    columns: Sequence[Column]
    heading: str = "label"

    def __len__(self) -> int:
        return len(self.labels)

    def column(self, key: str) -> Column:
        """Return a column by its key.

        Raises
        ------
        KeyError
            If the table has no such column.
        """
        for column in self.columns:
            if column.key == key:
                return column
        raise KeyError(key)

    def row_of(self, label: int) -> int | None:
        """Return the row of a label; None if there is no such object."""
        row = int(np.searchsorted(self.labels, label))
        return row if row < len(self) and int(self.labels[row]) == label else None

    def features(self) -> Mapping[str, NDArray[Any]]:
        """Return the table as napari wants the features of a labels layer: keyed by `index`."""
        return {"index": self.labels} | {column.key: column.values for column in self.columns}

    def write_csv(self, path: Path) -> None:
        """Write the table as CSV, whole or not at all.

        Raises
        ------
        DiskFull
            If there is no space for it.
        OutputUnwritable
            If nothing may be written there.
        """
        try:
            with writing(path):
                write_whole(path, "".join(self.csv_lines()).encode())
        except DiskFull as error:
            raise DiskFull(
                error.detail, remedy="Free some space, or choose another disk."
            ) from error
        except OSError as error:
            raise OutputUnwritable(f"{path} cannot be written: {error.strerror}.") from error

    def csv_lines(self) -> Iterator[str]:
        """Yield the table as CSV in pieces; the first line names the columns."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([self.heading, *(column.key for column in self.columns)])
        for start in range(0, len(self), _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            values = [self.labels[part], *(column.values[part] for column in self.columns)]
            writer.writerows(zip(*(each.tolist() for each in values), strict=True))
            yield text.getvalue()
            text.seek(0)
            text.truncate()
        yield text.getvalue()
