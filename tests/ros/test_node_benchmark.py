"""The node's benchmark runs over real topics, and its table adds up."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_image_is_counted(ros_domain: int, tmp_path: Path) -> None:
    path = tmp_path / "node.json"
    command = [sys.executable, "-m", "benchmarks.node", "--people", "2", "--rate", "5"]
    done = subprocess.run(
        [*command, "--seconds", "2", "--json", str(path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    rows = json.loads(path.read_text())["rows"]
    assert [row["listened"] for row in rows] == ["people", "people, tf, markers"]
    assert "| people, tf, markers | 2 | 13 |" in done.stdout
    for row in rows:
        assert row["sent"] == 13
        assert 0 <= row["dropped"] < 5
        assert 0 < row["overhead_ms"][0] <= row["overhead_ms"][1]
        assert row["whole_ms"][0] > row["network_ms"] > 0
