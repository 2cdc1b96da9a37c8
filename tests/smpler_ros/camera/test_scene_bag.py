"""Synthetic bags, read back through `smpler_model.bags.reader`."""

from pathlib import Path

import numpy as np
import pytest

from smpler_model.bags.people_topics import people_from_message
from smpler_model.bags.reader import open_bag
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_ros.bags.bag_writer import BAG_FORMATS, BagFormat
from smpler_ros.camera.scene_bag import START_NS, SceneBagSettings, write_scene_bag
from smpler_ros.camera.synthetic_bag import main
from synthetic.scene import SyntheticScene
from tests.full_disk import room_for

pytestmark = pytest.mark.slow

SMALL = SceneBagSettings(duration=0.4, rate=10, width=96, height=72, image="raw")


@pytest.fixture(scope="module")
def body() -> Body:
    return Body(load_builtin_body())


@pytest.mark.parametrize("kind", BAG_FORMATS)
def test_images_and_truth_equal_the_scene_s(kind: BagFormat, body: Body, tmp_path: Path) -> None:
    path = tmp_path / ("bag.bag" if kind == "rosbag1" else "bag")
    write_scene_bag(path, body, SMALL, kind)
    with open_bag(path) as bag:
        [camera] = bag.cameras
        frames = [frame for _, frame in bag.read_frames([camera])]
        truths = [each.message for each in bag.read_messages(["/camera/ground_truth/people"])]
    assert camera.image == "/camera/image_raw"
    assert len(frames) == len(truths) == SMALL.frames
    scene = SyntheticScene(body, frames[0].camera, people=3, seed=0, duration_s=0.4)
    for index, (frame, message) in enumerate(zip(frames, truths, strict=True)):
        shot = scene.frame(index * 100_000_000)
        assert frame.stamp_ns == START_NS + index * 100_000_000
        np.testing.assert_array_equal(frame.rgb, shot.frame.rgb)
        people = people_from_message(message)
        assert people.ids.tolist() == shot.truth.ids.tolist()
        np.testing.assert_allclose(people.rotations, shot.truth.rotations, atol=1e-6)
        np.testing.assert_allclose(people.translations_m, shot.truth.translations_m, atol=1e-12)
        np.testing.assert_allclose(people.joints_m, shot.truth.joints_m, atol=1e-6)
        np.testing.assert_array_equal(people.boxes_xyxy, shot.truth.visible_boxes_xyxy)


def test_several_cameras_with_jpeg_and_depth(tmp_path: Path) -> None:
    path = tmp_path / "bag"
    flags = "--cameras 2 --depth --quiet --duration 0.2 --rate 10 --width 96 --height 72"
    assert main([str(path), *flags.split()]) == 0
    with open_bag(path) as bag:
        topics = bag.topics
        assert [camera.image for camera in bag.cameras] == [
            "/camera_0/image_raw/compressed",
            "/camera_1/image_raw/compressed",
        ]
        frames = [frame for _, frame in bag.read_frames(bag.cameras)]
        static = [each.message for each in bag.read_messages(["/tf_static"])]
    assert topics["/camera_1/ground_truth/people"].count == 2
    assert [frame.frame_id for frame in frames[:2]] == [
        "camera_0_optical_frame",
        "camera_1_optical_frame",
    ]
    for frame in frames:
        assert frame.depth_m is not None
        assert 0.5 < float(np.nanmedian(frame.depth_m)) < 12
    children = {transform.child_frame_id for each in static for transform in each.transforms}
    assert children == {"camera_0_optical_frame", "camera_1_optical_frame"}


def test_the_seed_determines_the_scene(body: Body, tmp_path: Path) -> None:
    def images(name: str, seed: int) -> np.ndarray:
        config = SceneBagSettings(
            duration=0.1, rate=10, width=64, height=48, image="raw", seed=seed
        )
        write_scene_bag(tmp_path / name, body, config)
        with open_bag(tmp_path / name) as bag:
            return np.stack([frame.rgb for _, frame in bag.read_frames(bag.cameras)])

    first = images("a", 3)
    np.testing.assert_array_equal(first, images("b", 3))
    assert (first != images("c", 4)).any()


def test_a_moving_camera_publishes_its_pose_with_each_image(body: Body, tmp_path: Path) -> None:
    config = SceneBagSettings(
        duration=0.3, rate=10, width=64, height=48, camera_motion="pan", people=0
    )
    write_scene_bag(tmp_path / "bag", body, config)
    with open_bag(tmp_path / "bag") as bag:
        turns = [
            each.message.transforms[0].transform.rotation for each in bag.read_messages(["/tf"])
        ]
    assert len({(turn.x, turn.y, turn.z, turn.w) for turn in turns}) == 3


def test_write_errors_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "there").mkdir()
    assert main([str(tmp_path / "there")]) == 1
    assert "which exists; remove it" in capsys.readouterr().err
    assert main([str(tmp_path / "new"), "--duration", "0"]) == 1
    assert "duration must lie between 0.001 and 86400 s, got 0" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        *(("--duration", value) for value in ("nan", "inf", "-1", "1e18")),
        *(("--rate", value) for value in ("nan", "inf", "0", "1e18")),
        *(("--width", value) for value in ("0", "-64", "99999999999999999999")),
        *(("--fov", value) for value in ("nan", "0", "180", "inf")),
        *((flag, "99999999999999999999") for flag in ("--people", "--cameras", "--seed")),
        *((flag, "-1") for flag in ("--people", "--cameras", "--seed")),
    ],
)
def test_invalid_numbers_are_one_sentence(
    flag: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "new"), f"{flag}={value}"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert flag[2:] in line
    assert "must lie between" in line
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["a?b", "a#b", "a%41"])
def test_names_that_sqlite_misinterprets_are_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / name), "--format", "sqlite3", "--quiet"]) == 1
    assert "must have no ?, # or %" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", BAG_FORMATS)
def test_a_full_disk_is_an_error(
    kind: BagFormat, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["--duration", "0.5", "--rate", "10", "--width", "96", "--height", "72", "--quiet"]
    with room_for(15_000):
        assert main([str(tmp_path / "new"), *small, "--format", kind, "--image", "raw"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert str(tmp_path / "new") in line
