"""The page of figures: one section per benchmark, each with the day and the machine it ran on.

A benchmark that did not run this time keeps its section, so that the long ones need not be repeated
with every small one. What names a machine or a person is left out.
"""

import os
import platform
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.figure import Figure

HEAD = """# Figures

What `benchmarks/` has measured, each figure beside the bar that it must keep. Made by
`python -m benchmarks --table {path}`; benchmarks that are left out there are run by name:
`python -m benchmarks {by_name} --table {path}`.
"""
COLUMNS = "| figure | value | bar | | how |\n|---|---|---|---|---|\n"
PACKAGES = ("napari-hmz", "numpy", "zarr", "httpx", "onnxruntime", "tritonclient")
SECTION = re.compile(r"^## (?P<name>\S+)\n(?P<body>.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
GIB = 2**30


def write_table(
    path: Path, figures: Mapping[str, Sequence[Figure]], by_name: Sequence[str]
) -> None:
    """Write the sections of these benchmarks into the page at `path`; the others stay."""
    before = path.read_text("utf-8") if path.exists() else ""
    sections = {found["name"]: found["body"].strip() for found in SECTION.finditer(before)}
    sections |= {name: _section(found) for name, found in figures.items()}
    head = HEAD.format(path=path.as_posix(), by_name=" ".join(by_name))
    bodies = [f"## {name}\n\n{body}\n" for name, body in sorted(sections.items())]
    path.write_text("\n".join([head, *bodies]), "utf-8")


def _section(figures: Sequence[Figure]) -> str:
    rows = "\n".join(map(_row, figures))
    return f"{datetime.now(UTC):%Y-%m-%d}, {machine()}; {versions()}.\n\n{COLUMNS}{rows}"


def _row(figure: Figure) -> str:
    sign = "≥" if figure.side == "above" else "≤"
    mark = "holds" if figure.holds else "**missed**"
    cells = (
        figure.what,
        f"{figure.value:.3g}",
        f"{sign} {figure.bar:g}",
        mark,
        figure.note.removeprefix("(").removesuffix(")"),
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def machine() -> str:
    """Return cores, memory and processor, without the machine's name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores, {memory / GIB:.0f} GiB, {_processor()}, {platform.system()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def versions() -> str:
    """Return the versions of what is measured, and of what does most of the work."""
    found = [f"Python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:  # the extra is not installed
            continue
    return ", ".join(found)
