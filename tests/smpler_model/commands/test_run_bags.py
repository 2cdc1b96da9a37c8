"""The command on bags, intact and damaged."""

from dataclasses import replace
from pathlib import Path

import pytest

from smpler_model.commands.command_line import main
from smpler_model.commands.run_record import read_run_record
from tests.bag_writer import camera_messages, storage_file, write_bag
from tests.smpler_model.cameras.test_calibration import CALIBRATION
from tests.smpler_model.commands.test_run import frames_of, lines_of

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("form", ["mcap", "rosbag1"])
def test_a_bag_with_its_calibration(command: list[str], here: Path, form: str) -> None:
    path = write_bag(here, camera_messages(5, ros1=form == "rosbag1"), form)
    assert main([*command, str(path)]) == 0
    lines = lines_of(here / "out")
    assert len(lines) == 5
    assert lines[0]["camera"]["fx"] == 40
    assert lines[0]["frame_id"] == "optical"
    assert frames_of(Path("out/overlay.mp4")) == 5


def test_a_node_s_file_sets_rectified(command: list[str], here: Path) -> None:
    sent = camera_messages(2)
    for each in sent:
        if each.topic == "/cam/camera_info":
            each.message.p[0] = 35
    path = write_bag(here, sent)
    Path("node.yaml").write_text("/**: {ros__parameters: {rectified: true, tf_prefix: a/}}")
    assert main([*command, str(path), "--params", "node.yaml"]) == 0
    assert lines_of(here / "out")[0]["camera"]["fx"] == 35
    assert main([*command, str(path), "--overwrite"]) == 0
    assert lines_of(here / "out")[0]["camera"]["fx"] == 40


def test_the_topic_that_is_read_is_noted(command: list[str], here: Path) -> None:
    write_bag(here, camera_messages(1))
    assert main([*command, "bag"]) == 0
    record = read_run_record(here / "out")
    assert record is not None
    assert record.image_topic == "/cam/image_raw"


@pytest.mark.parametrize(
    ("flags", "lens", "focal"), [([], "none", 450), (["--no-rectified"], "plumb_bob", 500)]
)
def test_a_calibration_file_is_read_for_images_that_are_rectified_or_not(
    command: list[str], here: Path, flags: list[str], lens: str, focal: float
) -> None:
    images = [each for each in camera_messages(1) if each.topic == "/cam/image_raw"]
    write_bag(here, [replace(each, topic="/cam/image_rect_color") for each in images])
    Path("ost.yaml").write_text(CALIBRATION.replace("640", "32").replace("480", "24"))
    assert main([*command, "bag", "--no-overlay", "--camera-info", "ost.yaml", *flags]) == 0
    camera = lines_of(here / "out")[0]["camera"]
    assert (camera["lens"], camera["fx"]) == (lens, focal)


def test_repeated_images_are_reported_in_two_lines(
    command: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = camera_messages(4)
    write_bag(here, [*sent[:4], *[replace(each, time_ns=each.time_ns + 1) for each in sent]])
    assert main([*command, "bag"]) == 0
    assert len(lines_of(here / "out")) == 4
    warnings = [
        line for line in capsys.readouterr().err.splitlines() if "with the timestamp" in line
    ]
    assert [line.partition("/cam")[0] for line in warnings] == [
        "warning: ",
        "warning: 2 times in all: ",
    ]


def test_results_of_a_truncated_bag_are_kept(
    command: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = storage_file(write_bag(here, camera_messages(10), "sqlite3"))
    content = file.read_bytes()
    file.write_bytes(content[: int(0.8 * len(content))])
    assert main([*command, "bag"]) == 1
    assert "truncated after" in capsys.readouterr().err
    assert 0 < len(lines_of(here / "out")) < 10
