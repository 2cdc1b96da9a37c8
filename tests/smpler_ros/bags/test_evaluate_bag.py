"""The command `evaluate_bag`: killed, interrupted and resumed runs, and its refusals."""

import os
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
from rosbags.rosbag2 import Reader

from smpler_ros.bags.command_line import build_parser, read_config
from smpler_ros.bags.evaluate_bag import main
from smpler_ros.bags.run_files import STATE
from smpler_ros.bags.settings import USUAL_OUTPUTS, EvaluationSettings
from tests.forked import ForkedProgram
from tests.full_disk import room_for
from tests.full_memory import SENTENCE, run_out_after
from tests.smpler_ros.conftest import SMALL, WriteBag

pytestmark = pytest.mark.slow


def flags(checkpoint: Path, folder: Path) -> list[str]:
    given = f"--output {folder} --model {checkpoint} --backend plain --device cpu --boxes truth"
    return [*given.split(), "--confirm-frames", "1", "--quiet"]


def test_a_killed_run_leaves_valid_files_and_resumes(
    small_bag: Path, write_bag: WriteBag, checkpoint: Path, tmp_path: Path
) -> None:
    bag = write_bag("sixteen", rate=20.0)
    folder = tmp_path / "out"
    command = [str(bag), *flags(checkpoint, folder), "--checkpoint-every", "0"]
    with ForkedProgram("smpler_ros.evaluate_bag", command) as program:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not (folder / "bag" / "bag_2.mcap").exists():
            assert program.is_running
            time.sleep(0.002)
    with Reader(folder / "bag") as reader:
        before = reader.message_count
    assert before > 0
    assert (folder / STATE).exists()
    assert len((folder / "frames.csv").read_text().splitlines()) >= 3
    assert main([str(bag), *flags(checkpoint, folder), "--resume"]) == 0
    assert main([str(bag), *flags(checkpoint, tmp_path / "whole")]) == 0
    assert (folder / "frames.csv").read_text() == (tmp_path / "whole/frames.csv").read_text()
    counts = []
    for name in ("out", "whole"):
        with Reader(tmp_path / name / "bag") as reader:
            counts.append({each.topic: each.msgcount for each in reader.connections})
            assert sum(1 for _ in reader.messages(reader.connections)) == reader.message_count
    assert counts[0] == counts[1]
    assert counts[0]["/camera/people"] == round(SMALL.duration * 20)


def test_a_signal_ends_the_run_cleanly(
    small_bag: Path,
    checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from smpler_ros.bags.evaluation import Evaluation

    process = Evaluation._process

    def interrupt(self: Evaluation, *arguments: object) -> None:
        process(self, *arguments)  # type: ignore[arg-type]
        if self.checkpoint.frames == 3:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Evaluation, "_process", interrupt)
    command = [str(small_bag), *flags(checkpoint, tmp_path / "out")]
    assert main(command) == 130
    assert "interrupted; results so far are kept, --resume continues" in capsys.readouterr().err
    with Reader(tmp_path / "out" / "bag") as reader:
        counts = {each.topic: each.msgcount for each in reader.connections}
    assert counts["/camera/people"] == 3
    assert '"complete": false' in (tmp_path / "out" / "summary.json").read_text()
    assert main([*command, "--resume"]) == 0
    assert f"{SMALL.frames} images" in capsys.readouterr().out


def test_one_track_is_singular(
    small_bag: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = "--boxes detector --detector full_image --truth none --no-smoothing --outputs"
    assert main([str(small_bag), *flags(checkpoint, tmp_path / "out"), *given.split()]) == 0
    assert capsys.readouterr().out.startswith(
        f"{small_bag}: {SMALL.frames} images, {SMALL.frames} people, 1 track; results in "
    )


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["/nowhere.mcap"], "the bag must be a file or a folder, got /nowhere.mcap"),
        (["BAG", "--model", "/nowhere.pt"], "model must be smpler_nano or a checkpoint"),
        (
            ["BAG", "--use-depth"],
            "use_depth needs depth images that are aligned with /camera/image",
        ),
        (["BAG", "--jpeg-quality", "0"], "jpeg_quality must lie between 1 and 100"),
        (["BAG", "--match-iou", "0"], "match_iou must lie between 0.001 and 1, got 0.0"),
        (["BAG", "--image-topic", "/other"], "which has /camera/image_raw, got '/other'"),
        (
            ["BAG", "--image-topic", "/camera/image_raw", "/camera/image_raw"],
            "image topics must be named once each, got /camera/image_raw, /camera/image_raw",
        ),
        (["BAG", "--truth", "/other"], "the truth must be a topic of smpler_msgs"),
        (["BAG", "--truth", "none"], "boxes can be taken from the truth only where there is one"),
    ],
)
def test_invalid_arguments_are_one_sentence(
    arguments: list[str],
    reason: str,
    small_bag: Path,
    checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [str(small_bag) if each == "BAG" else each for each in arguments]
    assert main([given[0], *flags(checkpoint, tmp_path / "out"), *given[1:]]) == 1
    error = capsys.readouterr().err
    assert reason in error
    assert "Traceback" not in error


@pytest.mark.parametrize("batches", [0, 3])
def test_out_of_memory_is_one_sentence(
    batches: int,
    small_bag: Path,
    checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_out_after(monkeypatch, batches)
    assert main([str(small_bag), *flags(checkpoint, tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert SENTENCE in error
    assert "Error" not in error
    assert "Traceback" not in error
    if batches:
        monkeypatch.undo()
        assert main([str(small_bag), *flags(checkpoint, tmp_path / "out"), "--resume"]) == 0


def test_flags_set_the_configuration() -> None:
    config = read_config(build_parser().parse_args(["bag"]))
    assert config == EvaluationSettings()
    given = "bag --video --images --fov 75 --no-smoothing --truth a,b --checkpoint-every 3"
    config = read_config(build_parser().parse_args(given.split()))
    assert config.outputs == (*USUAL_OUTPUTS, "overlay", "images")
    assert (config.video, config.truth, config.checkpoint_every) == (True, "a,b", 3.0)
    assert (config.fov, config.smoothing) == (75.0, False)


NODE_FILE = """
/**:
  ros__parameters:
    rectified: true
    use_depth: false
    pairing_tolerance: 0.1
    tf_prefix: robot/
    overlay_mesh: false
    jpeg_quality: 95
    marker_lifetime: 2.0
    mesh_opacity: 0.5
    fov: 75.0
    cameras: [left]
"""


def test_a_parameter_file_of_the_node_sets_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "node.yaml"
    path.write_text(NODE_FILE)
    config = read_config(build_parser().parse_args(["bag", "--params", str(path)]))
    assert (config.rectified, config.use_depth) == (True, False)
    assert config.pairing_tolerance == 0.1
    assert (config.tf_prefix, config.overlay_mesh, config.jpeg_quality) == ("robot/", False, 95)
    assert (config.marker_lifetime, config.mesh_opacity) == (2.0, 0.5)
    assert config.fov == 75.0
    flags = ["--no-rectified", "--depth-topic", "/depth", "--tf-prefix", "", "--jpeg-quality", "7"]
    config = read_config(build_parser().parse_args(["bag", "--params", str(path), *flags]))
    assert (config.rectified, config.wants_depth) == (False, True)
    assert (config.tf_prefix, config.jpeg_quality) == ("", 7)


def test_the_shipped_parameter_file_is_read() -> None:
    path = Path(__file__).parents[3] / "config" / "camera.yaml"
    config = read_config(build_parser().parse_args(["bag", "--params", str(path)]))
    assert (config.rectified, config.use_depth) == (False, False)
    assert replace(config, rectified=None, use_depth=None) == EvaluationSettings()


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        *(("--workers", value) for value in ("0", "-1", "1.5", "nan")),
        *(("--cpus-per-bag", value) for value in ("nan", "inf", "-1")),
        *(("--gpus-per-bag", value) for value in ("nan", "inf", "-1")),
    ],
)
def test_invalid_numbers_are_refused(
    flag: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args(["bag", f"{flag}={value}"])
    assert f"argument {flag}: must be a" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--match-iou", "--checkpoint-every"])
@pytest.mark.parametrize("value", ["nan", "inf", "-1"])
def test_settings_out_of_bounds_are_refused(flag: str, value: str) -> None:
    with pytest.raises(ValueError, match=flag[2:].replace("-", "_")):
        read_config(build_parser().parse_args(["bag", f"{flag}={value}"]))


@pytest.mark.parametrize("place", ["", "below"])
def test_results_inside_the_bag_are_refused(
    small_bag: Path,
    checkpoint: Path,
    tmp_path: Path,
    place: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bag = shutil.copytree(small_bag, tmp_path / "bag")
    before = sorted(bag.iterdir())
    for given in [bag, *([] if place else bag.glob("*.mcap"))]:
        assert main([str(given), *flags(checkpoint, bag / place), "--overwrite"]) == 1
        assert "the output must not be where the bag is" in capsys.readouterr().err
        assert sorted(bag.iterdir()) == before


def test_a_full_disk_is_an_error_and_the_run_resumes_later(
    small_bag: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [str(small_bag), *flags(checkpoint, tmp_path / "out")]
    with room_for(40_000):
        assert main(command) == 1
    [line] = [each for each in capsys.readouterr().err.splitlines() if "File too large" in each]
    assert line.endswith("free disk space, and continue with --resume")
    assert not (tmp_path / "out" / ".bag.part").exists()
    assert main([*command, "--resume"]) == 0


def test_each_bag_of_a_series_has_its_own_results(
    small_bag: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("walk.1", "walk.2"):
        shutil.copytree(small_bag, name)
        given = flags(checkpoint, tmp_path)
        del given[given.index("--output") : given.index("--output") + 2]
        given += ["--boxes", "detector", "--detector", "motion", "--truth", "none", "--outputs"]
        assert main([name, *given]) == 0
    found = sorted(path.name for path in tmp_path.glob("*_evaluation"))
    assert found == ["walk.1_evaluation", "walk.2_evaluation"]
