"""Images wait for the camera's pose, a short time and only where it may come."""

from types import SimpleNamespace

import numpy as np
import pytest

from smpler_model.cameras.transform_buffer import TransformBuffer
from smpler_ros.inputs.arrival import Arrival
from smpler_ros.inputs.pose_wait import PoseWait
from tests.smpler_model.cameras.test_transform_buffer import STEP_NS, message, robot

WAIT_S = 0.1


class Wait:
    """A wait with its buffer, a clock, and what it passed on."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.passed: list[tuple[str, int, bool]] = []
        self.missed: list[tuple[str, str]] = []
        self.buffer = TransformBuffer()
        self.poses = PoseWait(
            *(self.buffer, "/odom", WAIT_S, self._store),
            lambda camera, reason: self.missed.append((camera, reason)),
            clock=lambda: self.now_s,
        )

    def _store(self, camera: str, arrival: Arrival) -> None:
        stamp_ns = arrival.image.header.stamp.nanosec
        if arrival.pose is not None:
            assert arrival.pose.frame_id == "odom"
            np.testing.assert_allclose(arrival.pose.fixed_from_camera, robot(stamp_ns), atol=1e-9)
        self.passed.append((camera, stamp_ns, arrival.pose is not None))

    def image(self, stamp_ns: int, camera: str = "front", frame: str = "base_link") -> None:
        stamp = SimpleNamespace(sec=0, nanosec=stamp_ns)
        header = SimpleNamespace(stamp=stamp, frame_id=frame)
        self.poses.add(camera, Arrival(SimpleNamespace(header=header)))

    def transform(self, stamp_ns: int) -> None:
        self.buffer.add(message(("odom", "base_link", stamp_ns, robot(stamp_ns))), is_static=False)
        self.poses.release()


@pytest.fixture
def wait() -> Wait:
    made = Wait()
    made.transform(0)
    return made


def test_an_image_is_passed_on_with_the_transform_that_follows_it(wait: Wait) -> None:
    wait.image(STEP_NS // 2)
    assert wait.passed == []
    wait.transform(STEP_NS)
    assert wait.passed == [("front", STEP_NS // 2, True)]
    assert wait.missed == []


def test_after_a_short_time_it_is_passed_on_without(wait: Wait) -> None:
    wait.image(STEP_NS // 2)
    wait.now_s += 0.9 * WAIT_S
    wait.poses.release()
    assert wait.passed == []
    wait.now_s += 0.2 * WAIT_S
    wait.poses.release()
    assert wait.passed == [("front", STEP_NS // 2, False)]
    assert wait.missed == [("front", "the last transform of 'base_link' is older than the image")]


def test_for_a_frame_that_nobody_publishes_it_does_not_wait(wait: Wait) -> None:
    wait.image(0, frame="camera")
    assert wait.passed == [("front", 0, False)]
    assert wait.missed == [("front", "there is no frame 'camera'")]


def test_an_image_without_a_frame_has_that_of_its_camera(wait: Wait) -> None:
    wait.image(0, camera="rig/front", frame="")
    assert wait.missed == [("rig/front", "there is no frame 'rig_front'")]
    wait.image(0, camera="/base_link", frame="/")
    assert wait.passed[-1] == ("/base_link", 0, True)


def test_images_stay_in_order_and_cameras_do_not_wait_for_each_other(wait: Wait) -> None:
    for stamp_ns in (STEP_NS // 2, STEP_NS, 3 * STEP_NS // 2):
        wait.image(stamp_ns)
    wait.image(0, camera="rear")
    assert wait.passed == [("rear", 0, True)]
    wait.transform(STEP_NS)
    wait.transform(2 * STEP_NS)
    assert [stamp for _, stamp, _ in wait.passed[1:]] == [
        STEP_NS // 2,
        STEP_NS,
        3 * STEP_NS // 2,
    ]
    assert all(has_pose for *_, has_pose in wait.passed)
