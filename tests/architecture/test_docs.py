"""The documentation is held to the code: blocks run, and what is listed exists."""

import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from napari_hmz.schema import wire

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "models").rglob("README.md")]
)
BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
COMMANDS = ("hmz", "hmz-backend")


def blocks(language: str) -> list[tuple[str, str, str]]:
    """Return page, info string and text of every block of a language."""
    return [
        (str(page.relative_to(ROOT)), found[1].strip(), found[2])
        for page in PAGES
        for found in BLOCK.findall(page.read_text("utf-8"))
        if found[0] == language
    ]


def command_lines() -> set[tuple[str, ...]]:
    """Return the command and sub-commands of every line of a shell block that calls ours."""
    found = set()
    for _page, _info, text in blocks("bash"):
        for line in text.splitlines():
            words = shlex.split(line, comments=True)
            if words and Path(words[0]).name in COMMANDS:
                names = [word for word in words[1:3] if re.fullmatch(r"[a-z]+", word)]
                deep = names[:1] in (["zoo"], ["triton"], ["users"], ["audit"], ["tokens"])
                found.add((Path(words[0]).name, *names[: 2 if deep else 1]))
    return found


@pytest.mark.parametrize(("page", "info", "text"), blocks("python"))
def test_python_in_the_docs_runs_or_says_why_not(
    page: str, info: str, text: str, tmp_path: Path
) -> None:
    if info.startswith("notest: "):
        compile(text, page, "exec")
        return
    command = [sys.executable, "-W", "error", "-c", text]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("words", sorted(command_lines()))
def test_a_command_in_the_docs_exists(words: tuple[str, ...]) -> None:
    command = [str(Path(sys.executable).with_name(words[0])), *words[1:], "--help"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    lost = [target for target in LINK.findall(text) if not (page.parent / target).exists()]
    assert not lost


@pytest.mark.parametrize("name", ["errors.md", "metrics.md", "settings.md"])
def test_tables_made_from_the_code_are_fresh(name: str) -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "reference_tables.py"))
    assert (ROOT / "docs" / "reference" / name).read_text("utf-8") == script["pages"]()[name]


def test_every_path_of_the_wire_is_listed() -> None:
    text = (ROOT / "docs/reference/wire.md").read_text("utf-8")
    for path in (
        wire.HEALTH,
        wire.SIGN_IN,
        wire.ME,
        wire.TOKENS,
        wire.USAGE,
        wire.MODELS,
        wire.VOLUMES,
        wire.PLANS,
        wire.RUNS,
    ):
        assert f"`{path}" in text
