"""The figures of a GPU, taken of a CPU: the same parts, the same file, the same text."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from benchmarks import gpu, report, training_step
from benchmarks.gpu import main, read_tests, show

pytestmark = pytest.mark.slow

JUNIT = """<testsuites><testsuite>
<testcase classname="a" name="one" time="1.5"/>
<testcase classname="a" name="two" time="0.5"><failure message="far away">page</failure></testcase>
<testcase classname="a" name="three"><skipped message="no"/></testcase>
</testsuite></testsuites>"""


@pytest.fixture
def tests(tmp_path: Path) -> Path:
    path = tmp_path / "tests.xml"
    path.write_text(JUNIT)
    return path


def test_tests_are_counted(tests: Path) -> None:
    assert read_tests(tests) == {
        "passed": 1,
        "skipped": 1,
        "failed": {"a::two": "far away"},
        "seconds": 2.0,
    }


def test_all_parts_come_into_one_file(
    tmp_path: Path,
    tests: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "new" / "gpu.json"
    given = ["--device", "cpu", "--models", "smpler_nano", "--trained", "smpler_nano"]
    given += ["--people", "1", "--seconds", "0", "--batch", "2", "--limit", "9999"]
    given += ["--frames", "6", "--markers", "1"]
    given += ["--json", str(path)]
    monkeypatch.setattr(sys, "argv", ["gpu", *given, "--tests", str(tests)])
    steps = {way: training_step.WAYS[way] for way in ("float32", "backbone in bfloat16")}
    monkeypatch.setattr(training_step, "WAYS", steps)
    monkeypatch.setitem(gpu.COMPILED, "cpu", ("eager",))  # in the place of what takes minutes
    monkeypatch.setattr(gpu, "_COMPILED_PEOPLE", (2,))
    if importlib.util.find_spec("rclpy"):
        monkeypatch.setattr("benchmarks.markers.RUNS", {"list of points": 1, "bytes": 1})
    assert main() == 0
    results = json.loads(path.read_text())
    assert set(results["inference"]) == {"smpler_nano"}
    assert {
        "compiled",
        "configuring",
        "detectors",
        "frames",
        "training",
        "cards",
        "machine",
        "tests",
    } <= set(results)
    assert set(results["training"]["smpler_nano"]["ways"]) == set(steps)
    ways = {row["way"] for row in results["inference"]["smpler_nano"]["rows"]}
    assert ways == {"reference", "plain", "eager"}
    printed = capsys.readouterr().out
    assert "Tests: 1 passed, 1 failed, 1 skipped." in printed
    assert "| smpler_nano | 1 | eager |" in printed
    assert "| smpler_nano | 2 | eager |" in printed
    assert "| person |" in printed
    assert "| step of a frame, ms | without meshes | with meshes |" in printed
    assert show(results) == report._SECTIONS["gpu"](results)


def test_what_cannot_run_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "gpu.json"
    given = ["--device", "cpu", "--limit", "0", "--models", "--json", str(path)]
    monkeypatch.setattr(sys, "argv", ["gpu", *given])
    assert main() == 0
    assert "Left out: frames: the time was up before it." in capsys.readouterr().out


def test_an_interrupt_ends_a_part_and_leaves_the_figures_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("benchmarks.gpu.measure_configuring", lambda _: {"seconds": 1})
    monkeypatch.setattr("benchmarks.gpu.measure_frames", interrupt)
    monkeypatch.setattr("benchmarks.gpu.show", lambda results: "shown")
    path = tmp_path / "gpu.json"
    monkeypatch.setattr(sys, "argv", ["gpu", "--device", "cpu", "--json", str(path)])
    assert main() == 0
    results = json.loads(path.read_text())
    assert results["configuring"] == {"seconds": 1}
    assert results["left_out"]["frames"] == "it was interrupted"
    assert results["left_out"]["training"] == "the time was up before it"
