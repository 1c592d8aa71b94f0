"""Write docs/reference/errors.md from the error tree."""

from pathlib import Path

from napari_hmz.errors import error_classes

HEAD = """# Errors

Made from `napari_hmz/errors.py` by `python scripts/error_table.py`. The code is stable: programs
may compare it. In Python each is a class of `napari_hmz.errors`, the same one whether it was raised
here or by the backend.

| code | class | status | what it means | what to do |
|---|---|---|---|---|
"""


def rows() -> list[str]:
    """Return one table row per error, by code."""
    return [
        f"| `{code}` | `{kind.__name__}` | {kind.status} | {(kind.__doc__ or '').splitlines()[0]}"
        f" | {kind.default_remedy} |"
        for code, kind in sorted(error_classes().items())
    ]


if __name__ == "__main__":
    page = Path(__file__).parents[1] / "docs" / "reference" / "errors.md"
    page.write_text(HEAD + "\n".join(rows()) + "\n", encoding="utf-8")
