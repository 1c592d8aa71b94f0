"""The story of the documentation, played in its short form: every step of it works, and is seen."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

pytestmark = [pytest.mark.gui, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
STEPS = (
    "1-sample", "2-catalogue", "3-preview", "4-running", "5-runs", "6-resumed", "7-volume",
    "8-objects", "9-exported",
)  # fmt: skip # in the order of the story
FIRST_LABELS_S = 60.0
PLAYED_S = 400.0


def test_the_whole_story_can_be_played(tmp_path: Path) -> None:
    played = subprocess.run(
        [sys.executable, "-m", "docs.story", str(tmp_path), "--short"],
        capture_output=True, check=False, cwd=ROOT, text=True, timeout=PLAYED_S,
    )  # fmt: skip # what is called stands alone
    assert played.returncode == 0, played.stdout + played.stderr
    assert sorted(path.stem for path in tmp_path.glob("*.png")) == list(STEPS)
    for path in tmp_path.glob("*.png"):
        with Image.open(path) as picture:
            assert min(picture.size) > 500, path.name
    told = re.search(r"first labels ([\d.]+) s after", played.stdout)
    assert told is not None, played.stdout
    assert float(told[1]) < FIRST_LABELS_S
