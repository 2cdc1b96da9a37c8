"""The benchmark of the viewer beside the node runs over real topics, and its figures add up."""

import json
from pathlib import Path

import pytest

from tests.program_runs import run_benchmark

TIMEOUT_S = 300.0  # longer than the benchmark's own waits, whose errors say more


def test_a_page_costs_only_while_it_is_open(ros_domain: int, tmp_path: Path) -> None:
    pytest.importorskip("viser", reason="needs the group `viewer`: run `make setup`")
    path = tmp_path / "viewer.json"
    given = ["--people", "1", "--rate", "5", "--seconds", "3", "--json", str(path)]
    said = tmp_path / "said.txt"
    output = run_benchmark("benchmarks.live_viewer", *given, output=said, timeout_s=TIMEOUT_S)
    closed, opened = json.loads(path.read_text())["rows"]
    assert "| open | " in output
    for row in (closed, opened):
        assert 0 < row["results_hz"] < 6
        assert 0 < row["people"] <= 1
        assert row["node_percent"] > 0
    # A timer looks four times a second whether somebody opened the page.
    assert closed["viewer_percent"] < 5
    assert (closed["person_kb"], closed["page_kb_s"]) == (0, 0)
    assert opened["viewer_percent"] > closed["viewer_percent"]
    assert 0.1 < opened["person_kb"] < 1
    assert opened["page_kb_s"] > opened["person_kb"] * opened["results_hz"] * opened["people"]
