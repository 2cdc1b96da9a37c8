"""What options cost, measured on few images."""

import json
from pathlib import Path

import pytest

from benchmarks.switches import OPTIONS, main


@pytest.mark.slow
def test_every_option_is_measured(tmp_path: Path) -> None:
    file = tmp_path / "switches.json"
    main(["--people", "2", "--images", "4", "--rounds", "2", "--json", str(file)])
    costs = json.loads(file.read_text())["cost_ms"]
    assert list(costs) == list(OPTIONS)
    assert all(cost > 0 for cost in costs.values())
