"""Frames above a camera, and the pose of a level camera."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from smpler_model.array_types import Floats
from smpler_model.cameras.frame_tree import LINK_FROM_OPTICAL, FrameTree, level_camera
from smpler_ros.bags.bag_writer import shared_types
from smpler_ros.messages.convert import frame_prefix, header_message, transform_message

TYPES = shared_types().types


def tree_of(*edges: tuple[str, str, Floats]) -> FrameTree:
    tree = FrameTree()
    for parent, child, pose in edges:
        header = header_message(TYPES, 1, parent)
        transform = transform_message(TYPES, header, child, pose)
        tree.add(TYPES.tf_message(transforms=[transform]))
    return tree


def pose_of(seed: int) -> Floats:
    random = np.random.default_rng(seed)
    pose = np.eye(4)
    pose[:3, :3] = Rotation.random(random_state=seed).as_matrix()
    pose[:3, 3] = random.normal(size=3)
    return pose


@given(st.floats(0, 10), st.floats(-89, 89))
def test_a_camera_stands_upright(height_m: float, pitch_deg: float) -> None:
    world_from_camera = level_camera(height_m, pitch_deg)
    right, down, forward = world_from_camera[:3, :3].T
    assert world_from_camera[:3, 3].tolist() == [0, 0, height_m]
    np.testing.assert_allclose(right, [0, -1, 0], atol=1e-12)
    assert down[2] < 0
    assert forward[0] > 0
    assert np.degrees(np.arcsin(-forward[2])) == pytest.approx(pitch_deg, abs=1e-6)


def test_a_person_in_front_of_a_level_camera_stands_on_the_floor() -> None:
    feet, head = (0.2, 1.2, 3.0, 1.0), (0.2, -0.5, 3.0, 1.0)  # metres, in the optical frame
    world_from_camera = level_camera(1.2, 0.0)
    np.testing.assert_allclose(world_from_camera @ feet, [3.0, -0.2, 0.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(world_from_camera @ head, [3.0, -0.2, 1.7, 1.0], atol=1e-12)


@given(st.integers(0, 1000))
def test_poses_are_chained_to_the_root(seed: int) -> None:
    upper, lower = pose_of(seed), pose_of(seed + 1)
    tree = tree_of(("base", "mast", upper), ("/mast", "/eye", lower), ("eye", "person", np.eye(4)))
    assert tree.path_to_root("eye") == ["eye", "mast", "base"]
    assert (tree.parent_of("eye"), tree.parent_of("base")) == ("mast", "")
    np.testing.assert_allclose(tree.root_from("eye"), upper @ lower, atol=1e-9)
    np.testing.assert_allclose(tree.root_from("base"), np.eye(4))


def test_the_fixed_frame_or_a_root_with_its_z_up_is_the_world() -> None:
    upper, lower = pose_of(1), pose_of(2)
    tree = tree_of(("robot/map", "robot/odom", upper), ("robot/odom", "eye", lower))
    assert tree.world_from("eye") is None
    for fixed_frame, expected in (("robot/odom", lower), ("robot/map", upper @ lower)):
        found = tree.world_from("eye", fixed_frame)
        assert found is not None
        np.testing.assert_allclose(found, expected, atol=1e-9)
    tree = tree_of(("map", "eye", lower))
    found = tree.world_from("eye", "elsewhere")
    assert found is not None
    np.testing.assert_allclose(found, lower, atol=1e-9)


def test_the_last_transform_counts_and_both_frames_are_known() -> None:
    tree = tree_of(("map", "eye", pose_of(1)), ("odom", "eye", LINK_FROM_OPTICAL))
    np.testing.assert_allclose(tree.root_from("eye"), LINK_FROM_OPTICAL, atol=1e-12)
    assert "odom" in tree
    assert "eye" in tree
    assert "map" not in tree


def test_cycles_terminate() -> None:
    tree = tree_of(("b", "a", np.eye(4)), ("a", "b", np.eye(4)), ("c", "c", np.eye(4)))
    assert tree.path_to_root("a") == ["a", "b"]
    assert tree.path_to_root("c") == ["c"]


def test_an_invalid_rotation_is_ignored() -> None:
    header = header_message(TYPES, 1, "map")
    transform = transform_message(TYPES, header, "eye", np.eye(4))
    transform.transform.rotation.w = 0.0
    tree = FrameTree()
    tree.add(TYPES.tf_message(transforms=[transform]))
    assert "eye" not in tree


@pytest.mark.parametrize(
    ("given_prefix", "namespace", "expected"),
    [
        ("", "/", ""),
        ("", "/front", "front/"),
        ("", "/robot/rear", "robot/rear/"),
        ("a", "/", "a/"),
        ("a/", "/front", "a/"),
        ("/a/b", "/front", "a/b/"),
        ("/", "/front", ""),
    ],
)
def test_a_prefix_ends_with_a_slash_and_is_the_namespace_by_default(
    given_prefix: str, namespace: str, expected: str
) -> None:
    assert frame_prefix(given_prefix, namespace) == expected
