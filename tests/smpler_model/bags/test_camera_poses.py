"""Poses of cameras in bags with several publishers, whose clocks differ."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from smpler_model.bags.camera_poses import (
    MOVING,
    STATIC,
    BagPoses,
    has_transforms,
    read_transforms,
)
from smpler_model.bags.reader import open_bag
from smpler_model.cameras.frame_tree import links_of
from smpler_model.cameras.messages import Message
from tests.bag_writer import START_NS, Messages, Sent, picture, write_bag

MS = 1_000_000
CLOCK_NS = 100_000_000_000  # time of the simulation at the start of the recording
SEEN, LOST = "/cam/image_raw", "/lost/image_raw"
MAKE = Messages()


def transforms(stamp_ns: int, *links: tuple[str, str, float]) -> Message:
    """Return a `TFMessage` of links (parent, child, x in metres)."""
    types = MAKE.store.types
    place, turn = types["geometry_msgs/msg/Vector3"], types["geometry_msgs/msg/Quaternion"]
    still = turn(0.0, 0.0, 0.0, 1.0)
    return types["tf2_msgs/msg/TFMessage"](
        [
            types["geometry_msgs/msg/TransformStamped"](
                MAKE.header(stamp_ns, parent),
                child,
                types["geometry_msgs/msg/Transform"](place(x_m, 0.0, 0.0), still),
            )
            for parent, child, x_m in links
        ]
    )


def image(topic: str, time_ms: int, frame_id: str, slowness: int = 1) -> Sent:
    """Return an image of the simulation's time, recorded a little later."""
    message = MAKE.image(CLOCK_NS + time_ms * MS, picture(0))
    message.header.frame_id = frame_id
    return Sent(topic, message, START_NS + (slowness * time_ms + 5) * MS)


def robot(time_ms: int, slowness: int = 1) -> Sent:
    """Return the transform of a robot that drives at 1 m/s."""
    stamp_ns, recorded_ns = CLOCK_NS + time_ms * MS, START_NS + slowness * time_ms * MS
    return Sent(MOVING, transforms(stamp_ns, ("odom", "base", time_ms / 1000)), recorded_ns)


def mount() -> Sent:
    return Sent(STATIC, transforms(CLOCK_NS, ("base", "optical", 0.5)), START_NS)


def places_in(bag: Path) -> tuple[dict[str, list[float]], list[str]]:
    """Return x of the cameras by topic, metres, NaN where unknown, and what was said."""
    places: dict[str, list[float]] = {}
    said: list[str] = []
    with open_bag(bag) as reader:
        frames = reader.read_frames(reader.cameras)
        poses = BagPoses(reader, "/odom")
        for topic, frame in poses.add_to(frames, lambda name, why: said.append(f"{name} {why}")):
            x_m = np.nan if frame.pose is None else frame.pose.fixed_from_camera[0, 3]
            places.setdefault(topic, []).append(float(x_m))
    return places, said


def beside_a_lamp(stamp_ns: Callable[[int], int], slowness: int) -> list[Sent]:
    """Return images and transforms of a robot, and of a lamp with stamps by its recording time."""
    sent = [mount()]
    for time_ms in range(0, 1000, 20):
        recorded_ns = START_NS + slowness * time_ms * MS
        lamp = transforms(stamp_ns(recorded_ns), ("lamp", "bulb", 1.0))
        sent.append(Sent(MOVING, lamp, recorded_ns))
        sent.append(robot(time_ms, slowness))
        if time_ms % 100 == 0:
            sent.append(image(SEEN, time_ms + 10, "optical", slowness))
    return sent


@pytest.mark.parametrize("slowness", [1, 5])
def test_a_publisher_with_another_clock_does_no_harm(tmp_path: Path, slowness: int) -> None:
    """A node without use_sim_time, in a simulation as fast as the clock, and in a slow one."""
    sent = beside_a_lamp(lambda recorded_ns: recorded_ns, slowness)
    places, said = places_in(write_bag(tmp_path, sent))
    assert said == []
    np.testing.assert_allclose(places[SEEN], 0.51 + 0.1 * np.arange(10), atol=1e-9)


def test_a_camera_without_transforms_takes_no_other_s(tmp_path: Path) -> None:
    """For it, the bag is not read so far ahead that the others' transforms are forgotten."""
    sent, seconds = [mount()], range(19)
    for time_ms in range(0, 1000 * len(seconds) + 200, 100):
        sent.append(robot(time_ms))
        if time_ms % 1000 == 0 and time_ms // 1000 in seconds:
            sent.append(image(LOST, time_ms + 40, "nowhere"))
            sent.append(image(SEEN, time_ms + 50, "optical"))
    places, said = places_in(write_bag(tmp_path, sent))
    np.testing.assert_allclose(places[SEEN], 0.55 + np.arange(len(seconds)), atol=1e-9)
    assert np.isnan(places[LOST]).all()
    assert len(said) == len(places[LOST]) == len(seconds)
    assert all(each.startswith(LOST) and "no frame 'nowhere'" in each for each in said)


@pytest.mark.parametrize("topic", [MOVING, STATIC])
def test_the_frames_of_people_are_left_out(tmp_path: Path, topic: str) -> None:
    people = [("optical", "robot/person_3/pelvis", 1.0), ("optical", "body_p3", 1.0)]
    mixed = transforms(CLOCK_NS, people[0], ("odom", "base", 2.0), people[1])
    sent = [
        Sent(topic, message, START_NS + index)
        for index, message in enumerate((transforms(CLOCK_NS, *people), mixed))
    ]
    with open_bag(write_bag(tmp_path, sent)) as reader:
        assert has_transforms(reader)
        read = list(read_transforms(reader, topic))
        assert list(read_transforms(reader, STATIC if topic == MOVING else MOVING)) == []
    assert [link.child for each in read for link in links_of(each.message)] == ["base"]


def test_a_topic_of_another_type_has_no_transforms(tmp_path: Path) -> None:
    sent = [Sent(MOVING, MAKE.info(CLOCK_NS), START_NS), image(SEEN, 0, "optical")]
    places, said = places_in(write_bag(tmp_path, sent))
    assert np.isnan(places[SEEN]).all()
    assert len(said) == 1
