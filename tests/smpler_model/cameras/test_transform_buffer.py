"""Transforms over time, compared with those of a robot whose motion is known."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from smpler_model.cameras.transform_buffer import HISTORY_NS, TransformBuffer

MS = 1_000_000
STEP_NS = 20 * MS
RATE, SPEED = 0.8, 0.5  # rad/s, m/s


def message(*links: tuple[str, str, int, np.ndarray]) -> Any:  # noqa: ANN401 - a message
    """Return a TFMessage of (parent, child, stamp, (4, 4))."""
    return SimpleNamespace(transforms=[_transform(*link) for link in links])


def _transform(parent: str, child: str, stamp_ns: int, pose: np.ndarray) -> Any:  # noqa: ANN401
    x, y, z, w = Rotation.from_matrix(pose[:3, :3]).as_quat()
    stamp = SimpleNamespace(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    return SimpleNamespace(
        header=SimpleNamespace(stamp=stamp, frame_id=parent),
        child_frame_id=child,
        transform=SimpleNamespace(
            translation=SimpleNamespace(**dict(zip("xyz", pose[:3, 3], strict=True))),
            rotation=SimpleNamespace(x=x, y=y, z=z, w=w),
        ),
    )


def place(turn: list[float], *position: float) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_rotvec(turn).as_matrix()
    pose[:3, 3] = position
    return pose


def robot(stamp_ns: int) -> np.ndarray:
    """A robot that turns and drives along x, at constant rates."""
    time_s = stamp_ns / 1e9
    return place([0, 0, RATE * time_s], SPEED * time_s, 1.0, 0.0)


DRIFT = place([0, 0, 0.3], 5.0, -2.0, 0.0)
MOUNT = place([-1.2, 1.2, -1.2], 0.2, 0.0, 1.1)


@pytest.fixture
def buffer() -> TransformBuffer:
    made = TransformBuffer()
    made.add(message(("/base_link", "camera", 0, MOUNT)), is_static=True)
    made.add(message(("map", "odom", 0, DRIFT)), is_static=True)
    for index in range(100):
        stamp_ns = index * STEP_NS
        made.add(message(("odom", "base_link", stamp_ns, robot(stamp_ns))), is_static=False)
    return made


@given(stamp_ns=st.integers(0, 99 * STEP_NS))
def test_a_pose_between_two_transforms_is_that_of_the_motion(stamp_ns: int) -> None:
    made = TransformBuffer()
    before_ns = stamp_ns // STEP_NS * STEP_NS
    for time_ns in (before_ns, before_ns + STEP_NS):
        made.add(message(("odom", "base_link", time_ns, robot(time_ns))), is_static=False)
    found = made.find("odom", "base_link", stamp_ns).target_from_source
    np.testing.assert_allclose(found, robot(stamp_ns), atol=1e-9)


def test_a_chain_of_moving_and_static_frames(buffer: TransformBuffer) -> None:
    stamp_ns = 1_234_567_890
    expected = DRIFT @ robot(stamp_ns) @ MOUNT
    found = buffer.find("map", "camera", stamp_ns).target_from_source
    np.testing.assert_allclose(found, expected, atol=1e-9)
    inverse = buffer.find("camera", "map", stamp_ns).target_from_source
    np.testing.assert_allclose(inverse, np.linalg.inv(expected), atol=1e-9)
    np.testing.assert_allclose(
        buffer.find("base_link", "camera", 10**15).target_from_source, MOUNT, atol=1e-9
    )
    np.testing.assert_array_equal(buffer.find("x", "x", 0).target_from_source, np.eye(4))


def test_nothing_is_extrapolated(buffer: TransformBuffer) -> None:
    last_ns = 99 * STEP_NS
    assert buffer.find("map", "camera", last_ns).target_from_source is not None
    late = buffer.find("map", "camera", last_ns + 1)
    assert (late.target_from_source, late.may_come) == (None, True)
    assert late.reason == "the last transform of 'base_link' is older than the image"
    early = buffer.find("map", "camera", -1)
    assert (early.target_from_source, early.may_come) == (None, False)
    assert early.reason == "the first transform of 'base_link' is newer than the image"


def test_what_is_not_connected_is_named(buffer: TransformBuffer) -> None:
    unknown = buffer.find("world", "camera", 0)
    assert (unknown.reason, unknown.may_come) == ("there is no frame 'world'", False)
    buffer.add(message(("world", "other", 0, np.eye(4))), is_static=True)
    apart = buffer.find("world", "camera", 0)
    assert apart.reason == "no transforms connect 'camera' with 'world'"


def test_late_and_repeated_transforms_are_sorted_in(buffer: TransformBuffer) -> None:
    made = TransformBuffer()
    for index in (0, 2, 1, 4, 3, 3, 0):
        pose = robot(index * STEP_NS)
        made.add(message(("odom", "base_link", index * STEP_NS, pose)), is_static=False)
    for stamp_ns in range(0, 4 * STEP_NS, 7 * MS):
        ours, theirs = (each.find("odom", "base_link", stamp_ns) for each in (made, buffer))
        np.testing.assert_allclose(ours.target_from_source, theirs.target_from_source, atol=1e-12)


def test_a_clock_set_back_or_another_parent_starts_anew(buffer: TransformBuffer) -> None:
    long_ago_ns = -5 * 10**9
    buffer.add(message(("odom", "base_link", long_ago_ns, MOUNT)), is_static=False)
    assert buffer.find("odom", "base_link", 0).may_come
    found = buffer.find("odom", "base_link", long_ago_ns).target_from_source
    np.testing.assert_allclose(found, MOUNT, atol=1e-12)
    buffer.add(message(("map", "base_link", 0, DRIFT)), is_static=False)
    found = buffer.find("map", "base_link", 0).target_from_source
    np.testing.assert_allclose(found, DRIFT, atol=1e-12)


def test_old_transforms_are_forgotten_and_invalid_ones_ignored() -> None:
    made = TransformBuffer()
    for index in range(3 * HISTORY_NS // STEP_NS):
        stamp_ns = index * STEP_NS
        made.add(message(("odom", "base_link", stamp_ns, robot(stamp_ns))), is_static=False)
    assert not made.find("odom", "base_link", 0).may_come
    assert made.find("odom", "base_link", 2 * HISTORY_NS).target_from_source is not None
    broken = message(("odom", "arm", 0, np.eye(4)), ("odom", "head", 0, np.eye(4)))
    broken.transforms[0].transform.rotation = SimpleNamespace(x=0.0, y=0.0, z=0.0, w=0.0)
    broken.transforms[1].transform.translation.x = float("nan")
    made.add(broken, is_static=False)
    assert "arm" not in made
    assert "head" not in made


def test_a_cycle_ends() -> None:
    made = TransformBuffer()
    made.add(message(("a", "b", 0, MOUNT), ("b", "a", 0, MOUNT)), is_static=True)
    assert made.find("map", "a", 0).reason == "there is no frame 'map'"


@pytest.mark.parametrize("other_clock_ns", [0, 10**18, -(10**11)])
def test_frames_that_are_gone_are_forgotten(other_clock_ns: int) -> None:
    """As the bodies of ROS4HRI, whose names are random; other frames may have another clock."""
    made = TransformBuffer()
    made.add(message(("base", "camera", 0, MOUNT)), is_static=True)
    most = 0
    for half_s in range(500):
        stamp_ns = 10**12 + half_s * 500 * MS
        body = f"body_{half_s // 2}"
        made.add(message(("map", "base", stamp_ns, DRIFT)), is_static=False)
        made.add(message(("map", body, stamp_ns + other_clock_ns, MOUNT)), is_static=False)
        made.add(message(("map", "arm", stamp_ns + other_clock_ns, MOUNT)), is_static=False)
        most = max(most, sum(f"body_{index}" in made for index in range(half_s // 2 + 1)))
        if half_s % 50 == 0:
            assert made.find("map", "camera", stamp_ns).target_from_source is not None
            assert "arm" in made
    assert 60 <= most <= 130
    assert "body_249" in made


def test_short_lived_frames_alone_are_forgotten_too() -> None:
    """A static camera: no frame goes on for a minute."""
    made = TransformBuffer()
    made.add(message(("map", "camera", 0, MOUNT)), is_static=True)
    for half_s in range(500):
        made.add(
            message(("map", f"body_{half_s // 2}", half_s * 500 * MS, MOUNT)), is_static=False
        )
    assert 1 <= sum(f"body_{index}" in made for index in range(250)) <= 130
    assert "camera" in made


def test_a_clock_that_jumps_makes_no_frame_forgotten() -> None:
    made = TransformBuffer()
    for index, jump_ns in enumerate((0, 10**13, -(10**13), 0)):
        stamp_ns = 10**14 + jump_ns + index * STEP_NS
        made.add(message(("odom", "base", stamp_ns, MOUNT)), is_static=False)
        if index == 0:
            made.add(message(("map", "odom", stamp_ns, DRIFT)), is_static=False)
    assert made.find("map", "odom", 10**14).target_from_source is not None
