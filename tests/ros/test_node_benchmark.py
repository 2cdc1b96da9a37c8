"""The node's benchmark runs over real topics, and its table adds up."""

import json
from pathlib import Path

from tests.program_runs import run_benchmark

TIMEOUT_S = 300.0


def test_every_image_is_counted(ros_domain: int, tmp_path: Path) -> None:
    path = tmp_path / "node.json"
    given = ["--people", "2", "--rate", "5", "--seconds", "2", "--json", str(path)]
    said = tmp_path / "said.txt"
    output = run_benchmark("benchmarks.node", *given, output=said, timeout_s=TIMEOUT_S)
    rows = json.loads(path.read_text())["rows"]
    assert [row["subscribed"] for row in rows] == ["people", "people, tf, markers"]
    assert "| people, tf, markers | 2 | 13 |" in output
    for row in rows:
        assert row["sent"] == 13
        assert 0 <= row["dropped"] < 5
        assert 0 < row["overhead_ms"][0] <= row["overhead_ms"][1]
        assert row["whole_ms"][0] > row["network_ms"] > 0
