"""What of a run can be read: asked once, not for each of thousands of chunks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from hmz_backend.runs.output_array import array_document
from napari_hmz.schema import Run


@dataclass(frozen=True, slots=True)
class Readable:
    """The outputs of a run.

    Parameters
    ----------
    model, version
        What has made them.
    documents
        The document of each array, by its name; of a table nothing, it has a file.
    """

    model: str
    version: str
    documents: Mapping[str, bytes]

    @classmethod
    def of(cls, run: Run) -> Self:
        """Return what can be read of a run."""
        source = run.provenance.source_name
        arrays = {each.name: array_document(each, run.id, source) for each in run.plan.outputs}
        tables = dict.fromkeys((table.name for table in run.plan.tables), b"")
        return cls(run.provenance.model, run.provenance.version, tables | arrays)
