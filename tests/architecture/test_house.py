"""The rules of the house that a machine can check."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("napari_hmz", "backend/hmz_backend", "widgets/hmz_widgets", "benchmarks", "training")
LONGEST_FILE = 400
LONGEST_FUNCTION = 60
ONE_TREE = (
    "napari_hmz/errors.py"  # one short class per error: a tree is read at a glance, in one place
)
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}


def modules() -> list[Path]:
    return sorted(path for source in SOURCES for path in (ROOT / source).rglob("*.py"))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_there_are_modules_to_check() -> None:
    assert len(modules()) > 50


def test_no_file_outgrows_its_idea() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in modules()
        if (lines := len(path.read_text("utf-8").splitlines())) > LONGEST_FILE
        and path != ROOT / ONE_TREE
    }
    assert not long


def test_no_function_outgrows_a_screen() -> None:
    long = {
        f"{path.relative_to(ROOT)}:{function.name}": length
        for path in modules()
        for function in functions(path)
        if (length := (function.end_lineno or 0) - function.lineno + 1) > LONGEST_FUNCTION
    }
    assert not long


def test_modules_are_named_for_one_idea() -> None:
    assert not [
        path for path in modules() if path.stem in VAGUE_NAMES or path.parent.name in VAGUE_NAMES
    ]


def test_every_module_says_what_it_is() -> None:
    mute = [path for path in modules() if not ast.get_docstring(ast.parse(path.read_text("utf-8")))]
    assert not mute


@pytest.mark.parametrize("folder", ["backend", "widgets", "tests"])
def test_source_roots_are_not_packages(folder: str) -> None:
    assert not list((ROOT / folder).glob("__init__.py"))


def test_layers_hold() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("napari_hmz", ("napari", "qtpy", "zarr", "httpx", "dask", "hmz_backend")),
        (
            "napari_hmz.client",
            ("napari", "qtpy", "fastapi", "tritonclient", "onnxruntime", "hmz_backend"),
        ),
        ("napari_hmz.cli", ("napari", "qtpy", "fastapi", "tritonclient", "dask", "hmz_backend")),
        ("hmz_backend.app", ("napari", "qtpy", "onnxruntime", "tritonclient")),
    ],
)
def test_importing_one_part_does_not_load_another(module: str, forbidden: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print([m for m in {forbidden!r} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_the_manifest_at_the_top_is_a_link_to_the_one_that_napari_reads() -> None:
    link = ROOT / "napari.yaml"
    assert link.is_symlink()
    assert link.resolve() == (ROOT / "napari_hmz" / "napari.yaml").resolve()
