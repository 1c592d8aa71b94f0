"""The threat model is held to the tests: each threat has some, and each that it names exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "explanation" / "security.md").read_text("utf-8")
THREATS = {
    1: "credential",
    2: "made to read",
    3: "ask an address",
    4: "which models",
    5: "huge",
    6: "code",
    7: "takes everything",
    8: "reaches another",
    9: "not what was computed",
    10: "patients",
}
"""Every threat that has to be there, by a word of its heading."""
LEAST = 3


def sections() -> dict[int, tuple[str, str]]:
    """Return heading and text of each threat, by its number."""
    threats = PAGE.split("## Threats\n")[1].split("\n## ")[0]
    found = re.findall(r"^### (\d+)\. ([^\n]+)\n(.*?)(?=^### |\Z)", threats, re.M | re.S)
    return {int(number): (heading, text) for number, heading, text in found}


def named() -> list[str]:
    return sorted(set(re.findall(r"^- `(tests/[^`]+)`$", PAGE, re.MULTILINE)))


def test_every_threat_is_named_and_covered() -> None:
    found = sections()
    assert set(found) == set(THREATS)
    for number, word in THREATS.items():
        heading, text = found[number]
        assert word in heading
        assert len(re.findall(r"^- `tests/", text, re.MULTILINE)) >= LEAST, heading
        words = [line for line in text.splitlines() if line and not line.startswith("- ")]
        assert len(" ".join(words)) > 150, "what stands in the way"


@pytest.mark.parametrize("test", named())
def test_a_named_test_exists(test: str) -> None:
    path, _, name = test.partition("::")
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    there = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    tests = {each for each in there if each.startswith("test_")}
    assert name in tests or (name == "*" and tests)
