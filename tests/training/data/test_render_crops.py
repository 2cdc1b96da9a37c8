import sys
from pathlib import Path

import pytest

from training.data import render_crops

TRAIN = Path(__file__).parents[3] / "config" / "train"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.yaml"], "the configuration must be a YAML file, got missing.yaml"),
        ([str(TRAIN / "nano.yaml"), "--part", "2"], "part must be 0/N to N-1/N"),
        ([str(TRAIN / "nano.yaml"), "--part", "2/2"], "part must be 0/N to N-1/N"),
        ([str(TRAIN / "smpler_w32.yaml")], "crops"),
    ],
)
def test_mistakes_are_reported_in_one_sentence(
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["render_crops", *arguments])
    assert render_crops.main() == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert message in said


@pytest.mark.parametrize(("text", "part"), [("0/1", (0, 1)), ("3/4", (3, 4))])
def test_parts(text: str, part: tuple[int, int]) -> None:
    assert render_crops.read_part(text) == part
