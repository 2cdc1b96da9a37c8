import json
import sys
from pathlib import Path

import pytest

from benchmarks.training import PLAIN, main

pytestmark = pytest.mark.slow


def test_table_is_relative_to_the_plain_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "rows.json"
    options = ["--batch", "2", "--image", "96", "--people", "8", "--workers", "1"]
    options += ["--seconds", "0", "--device", "cpu", "--output", str(output)]
    monkeypatch.setattr(sys, "argv", ["training", *options])
    main()
    results = json.loads(output.read_text())
    plain = results["steps"][0]
    assert (plain["what"], plain["times_plain"]) == (PLAIN, 1.0)
    for row in results["steps"]:
        ratio = row["people_per_second"] / plain["people_per_second"]
        assert row["times_plain"] == pytest.approx(ratio)
    assert results["reading_per_worker"] > 0
    assert "people/s and worker" in capsys.readouterr().out
