"""Real bags of every kind."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from smpler_model.bags.cameras import CameraTopics, with_settings
from smpler_model.bags.reader import BagReader, open_bag
from smpler_model.bags.stamp_order import WINDOW
from smpler_model.frames import Frame
from smpler_model.settings.bag import BagSettings
from smpler_model.source import SourceError
from tests.bag_writer import (
    FORMS,
    START_NS,
    STEP_NS,
    Messages,
    Sent,
    camera_messages,
    picture,
    write_bag,
)

IMAGE = "/cam/image_raw"
make = Messages()


def read(bag: BagReader, **chosen: str) -> tuple[list[Frame], list[str], str]:
    """Return frames, reports, and the final error."""
    frames: list[Frame] = []
    reports: list[str] = []
    camera = bag.choose_camera(**chosen)
    try:
        for _, frame in bag.read_frames([camera], lambda topic, text: reports.append(text)):
            frames.append(frame)
    except SourceError as error:
        return frames, reports, str(error)
    return frames, reports, ""


def indices(frames: list[Frame]) -> list[int]:
    return [int(frame.rgb[0, 0, 0]) for frame in frames]


@pytest.mark.parametrize("form", FORMS)
def test_every_kind_gives_the_same_frames(tmp_path: Path, form: str) -> None:
    path = write_bag(tmp_path, camera_messages(ros1=form == "rosbag1"), form)
    with open_bag(path) as bag:
        assert [camera.image for camera in bag.cameras] == [IMAGE]
        assert bag.cameras[0].count == 10
        assert bag.topics["/cam/camera_info"].type == "sensor_msgs/msg/CameraInfo"
        assert (bag.start_ns, bag.end_ns) == (START_NS + 5 * 10**6, START_NS + 906 * 10**6)
        frames, reports, error = read(bag)
    assert (reports, error, bag.damage) == ([], "", None)
    assert indices(frames) == list(range(10))
    np.testing.assert_array_equal(frames[3].rgb, picture(3))
    assert [frame.stamp_ns for frame in frames] == [START_NS + i * STEP_NS for i in range(10)]
    assert frames[0].frame_id == "optical"
    assert frames[0].camera is not None
    assert frames[0].camera.fx == 40


def test_a_folder_named_like_a_rosbag1_is_a_rosbag2(tmp_path: Path) -> None:
    path = write_bag(tmp_path, camera_messages(), "mcap").rename(tmp_path / "walk.bag")
    with open_bag(path) as bag:
        frames, reports, error = read(bag)
    assert (len(frames), reports, error, bag.damage) == (10, [], "", None)


def test_depth_has_the_nearest_timestamp(tmp_path: Path) -> None:
    sent = []
    for index in range(6):
        stamp = START_NS + index * STEP_NS
        sent.append(Sent("/cam/image_raw", make.image(stamp, picture(index)), stamp))
        if index != 3:
            metres = np.full((24, 32), 1.0 + index, np.float32)
            message = make.image(stamp + 20_000_000, metres, "32FC1")
            sent.append(Sent("/cam/depth_registered/image_raw", message, stamp + 30_000_000))
    with open_bag(write_bag(tmp_path, sent)) as bag:
        frames, reports, error = read(bag)
    assert (reports, error) == ([], "")
    depths = [None if f.depth_m is None else float(f.depth_m[0, 0]) for f in frames]
    assert depths == [1, 2, 3, None, 5, 6]


def test_slightly_late_images_are_sorted(tmp_path: Path) -> None:
    order = [0, 2, 1, 3, 5, 6, 4, 7]
    sent = [
        Sent(IMAGE, make.image(START_NS + i * STEP_NS, picture(i)), START_NS + place * STEP_NS)
        for place, i in enumerate(order)
    ]
    with open_bag(write_bag(tmp_path, sent)) as bag:
        frames, reports, _ = read(bag)
    assert indices(frames) == list(range(8))
    assert reports == []


def test_very_late_images_are_left_out_and_reported(tmp_path: Path) -> None:
    step = 10_000_000
    order = [*range(1, 2 * WINDOW), 0, *range(2 * WINDOW, 3 * WINDOW)]
    sent = [
        Sent(IMAGE, make.image(START_NS + i * step, picture(i)), START_NS + place * step)
        for place, i in enumerate(order)
    ]
    with open_bag(write_bag(tmp_path, sent)) as bag:
        frames, reports, _ = read(bag)
    assert indices(frames) == list(range(1, 3 * WINDOW))
    assert len(reports) == 1
    assert "ms late" in reports[0]


def test_repeated_images_are_left_out_and_reported(tmp_path: Path) -> None:
    sent = [
        Sent(IMAGE, make.image(START_NS + i * STEP_NS, picture(i)), START_NS + place * STEP_NS)
        for place, i in enumerate([0, 1, 1, 2, 2, 2, 3])
    ]
    with open_bag(write_bag(tmp_path, sent)) as bag:
        frames, reports, _ = read(bag)
    assert indices(frames) == [0, 1, 2, 3]
    assert len(reports) == 3
    assert "images must have different timestamps" in reports[0]


def test_a_clock_set_back_restarts_sorting(tmp_path: Path) -> None:
    stamps = [*range(20, 40), *range(10)]
    sent = [
        Sent(IMAGE, make.image(START_NS + i * STEP_NS, picture(i)), START_NS + place * STEP_NS)
        for place, i in enumerate(stamps)
    ]
    with open_bag(write_bag(tmp_path, sent)) as bag:
        frames, reports, _ = read(bag)
    assert indices(frames) == stamps
    assert reports == []


def test_without_timestamps_the_recording_time_is_used(tmp_path: Path) -> None:
    sent = [Sent(IMAGE, make.image(0, picture(i)), START_NS + i * STEP_NS) for i in range(3)]
    with open_bag(write_bag(tmp_path, sent)) as bag:
        frames, _, _ = read(bag)
    assert [frame.stamp_ns for frame in frames] == [START_NS + i * STEP_NS for i in range(3)]


def test_unusable_images_are_left_out_and_reported(tmp_path: Path) -> None:
    sent = camera_messages(4)
    small = make.image(START_NS + 4 * STEP_NS, np.zeros((10, 10, 3), np.uint8))
    odd = replace(make.image(START_NS + 5 * STEP_NS, picture(5)), encoding="rgb565")
    short = make.image(START_NS + 6 * STEP_NS, picture(6))
    short.data = short.data[:100]
    for index, message in enumerate([small, odd, short]):
        sent.append(Sent(IMAGE, message, START_NS + (4 + index) * STEP_NS))
    with open_bag(write_bag(tmp_path, sent)) as bag:
        frames, reports, error = read(bag)
    assert indices(frames) == [0, 1, 2, 3]
    assert error == ""
    assert len(reports) == 3
    assert "calibrated for 32x24" in reports[0]
    assert "'rgb565'" in reports[1]
    assert "at least 2304 bytes, got fewer" in reports[2]


def test_no_readable_image_is_an_error_with_the_reason(tmp_path: Path) -> None:
    bad = make.info(START_NS, focal=float("nan"))
    image = make.image(START_NS, picture(0))
    sent = [Sent("/cam/camera_info", bad, START_NS), Sent(IMAGE, image, START_NS)]
    with open_bag(write_bag(tmp_path, sent)) as bag:
        frames, _, error = read(bag)
    assert frames == []
    assert "finite numbers with positive focal lengths" in error


def test_a_new_calibration_is_used(tmp_path: Path) -> None:
    sent = []
    for index in range(4):
        stamp = START_NS + index * STEP_NS
        info = make.info(stamp, focal=40.0 + 10 * (index >= 2))
        sent.append(Sent(IMAGE, make.image(stamp, picture(index)), stamp))
        sent.append(Sent("/cam/camera_info", info, stamp + 1000))  # after the image, as usual
    with open_bag(write_bag(tmp_path, sent)) as bag:
        frames, _, _ = read(bag)
    assert [frame.camera.fx for frame in frames if frame.camera] == [40, 40, 50, 50]


def test_a_time_range_and_other_messages(tmp_path: Path) -> None:
    with open_bag(write_bag(tmp_path, camera_messages())) as bag:
        camera = bag.choose_camera()
        part = bag.read_frames(
            [camera], start_ns=START_NS + 2 * STEP_NS, end_ns=START_NS + 5 * STEP_NS
        )
        assert indices([frame for _, frame in part]) == [2, 3, 4]
        infos = list(bag.read_messages(["/cam/camera_info"]))
        assert len(infos) == 10
        assert infos[0].time_ns == START_NS + 5_000_000
        assert infos[0].message.k[0] == 40
        with pytest.raises(SourceError, match="none in this time"):
            list(bag.read_frames([camera], end_ns=START_NS))


def test_the_user_s_settings_override_the_bag(tmp_path: Path) -> None:
    depth = make.image(START_NS + 60_000_000, np.full((24, 32), 1500, np.uint16), "16UC1")
    info = make.info(START_NS)
    info.p[0] = 35
    sent = [
        Sent("/cam/camera_info", info, START_NS),
        Sent("/cam/image_rect", make.image(START_NS, picture(0)), START_NS),
        Sent("/cam/aligned_depth/image_raw", depth, START_NS),
    ]
    with open_bag(write_bag(tmp_path, sent)) as bag:
        found = bag.choose_camera()

        def read_first(**said: object) -> tuple[float, bool]:
            camera = with_settings(found, BagSettings.from_values(said))
            ((_, frame),) = bag.read_frames([camera])
            assert frame.camera is not None
            return frame.camera.fx, frame.depth_m is not None

        assert read_first() == (35, False)
        assert read_first(rectified=False) == (40, False)
        assert read_first(pairing_tolerance=0.06) == (35, True)
        assert read_first(pairing_tolerance=0.06, use_depth=False) == (35, False)
        told = {"pairing_tolerance": 0.06, "use_depth": False}
        assert read_first(**told, depth_topic="/cam/aligned_depth/image_raw") == (35, True)
        with pytest.raises(SourceError, match="use_depth needs depth images"):
            with_settings(replace(found, depth=None), BagSettings(use_depth=True))


def test_by_default_the_bag_decides() -> None:
    camera = CameraTopics("/image_rect", "Image", 3, "/camera_info", "/depth", rectified=True)
    assert with_settings(camera, BagSettings()) == camera
