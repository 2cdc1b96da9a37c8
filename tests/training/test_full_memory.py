import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.full_memory import ask_for_too_much
from training import evaluate, train

pytestmark = pytest.mark.slow

CONFIG = Path(__file__).parents[2] / "config"


@pytest.mark.parametrize(
    ("command", "part", "configuration", "words"),
    [
        (train, "Run", "train/nano.yaml", "lower batch and raise accumulate"),
        (evaluate, "evaluate", "evaluate/w32_3dpw.yaml", "lower batch"),
    ],
)
def test_out_of_memory_is_one_sentence(
    command: ModuleType,
    part: str,
    configuration: str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command, part, lambda *_: ask_for_too_much())
    monkeypatch.setattr(sys, "argv", [part, str(CONFIG / configuration), "device=cpu"])
    assert command.main() == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.endswith(
        f" needs more memory than cpu has left; end other programs there, or {words}\n"
    )
