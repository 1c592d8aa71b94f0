"""How many things a run has found, in words."""

from napari_hmz.schema import OutputKind, OutputResult, Run

_WORDS: dict[OutputKind, tuple[str, str]] = {
    "points": ("point", "points"),
    "boxes": ("box", "boxes"),
    "table": ("row", "rows"),
}


def counts_of(run: Run) -> list[tuple[str, str]]:
    """Return what was counted in each output that can be counted: its name, and as `12 points`."""
    kinds = {table.name: table.kind for table in run.plan.tables}
    return [
        (result.name, _text(result, _WORDS.get(kinds.get(result.name, "image"))))
        for result in run.results
        if result.objects is not None
    ]


def _text(result: OutputResult, words: tuple[str, str] | None) -> str:
    one, many = words or ("object", "objects")
    return f"{result.objects} {one if result.objects == 1 else many}"
