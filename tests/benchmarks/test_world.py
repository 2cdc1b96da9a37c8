"""People in the world before a robot, on few images without a room."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: run `make test`")

from benchmarks.world import __main__ as world
from benchmarks.world.scene import DURATION_S
from smpler_model.people.floor_from_feet import LARGEST_SPREAD_M
from tests.ros.conftest import reserve_domain


@pytest.mark.slow
def test_errors_and_costs_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "world.json"
    given = ["--rate", "3", "--background", "plain", "--scenes", "standing", "--frames", "map"]
    given += ["--sources", "feet", "floor", "--seeds", "3"]
    given += ["--json", str(file), "--set", "backend:=plain"]
    monkeypatch.setattr(sys, "argv", ["world", *given])
    monkeypatch.setattr(world, "_REPETITIONS", 20)
    with reserve_domain():
        world.main()
    results = json.loads(file.read_text())
    rows = results["rows"]["standing"]["3"]
    assert [row["source"] for row in rows] == ["feet", "floor"]
    for row in rows:
        assert row["estimate"] == "with fixed_frame"
        median, p95, largest = row["position_m"]
        assert 0 < median <= p95 <= largest < 1.0
        assert row["people"] == 3
    assert rows[0]["position_m"] != rows[1]["position_m"]
    assert 0 < rows[0]["floor_m"] < LARGEST_SPREAD_M  # over a real topic, against the true floor
    assert 0 < rows[0]["floor_s"] < DURATION_S / 2
    assert (rows[1]["floor_m"], rows[1]["floor_s"]) == (pytest.approx(0.0, abs=1e-6), 0.0)
    # Differences of times, which may be below zero for few people on a busy machine.
    assert [int(people) for people in results["cost_ms"]] == list(world._COUNTS)
    assert np.isfinite(list(results["cost_ms"].values())).all()
    assert "| standing | 3 | floor | with fixed_frame |" in capsys.readouterr().out
