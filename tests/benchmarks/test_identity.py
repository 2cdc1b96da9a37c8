"""The benchmark of ids over gaps, on one room."""

import json
from pathlib import Path

import pytest

from benchmarks.identity import PEOPLE, main


@pytest.mark.slow
@pytest.mark.parametrize("remember", [60.0, 0.0])
def test_every_visit_is_counted_once(
    remember: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the parameter nobody is joined."""
    file = tmp_path / "identity.json"
    given = ["--rooms", "1", "--rate", "2", "--seed", "2", "--remember", str(remember)]
    main([*given, "--json", str(file)])
    counts = json.loads(file.read_text())["counts"]
    assert counts["returns"] + counts["strangers"] == PEOPLE
    assert counts["joined"] + counts["missed"] <= counts["returns"]
    if not remember:
        assert counts["missed"] == counts["returns"]
        assert counts["wrong"] == 0
    assert "| returns | joined | missed | wrong | strangers |" in capsys.readouterr().out
