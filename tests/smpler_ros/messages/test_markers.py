"""Markers of people, read back as a subscriber sees them."""

import numpy as np
import pytest
from rosbags.typesys import Stores, get_typestore

from smpler_model.body.skeleton import SMPL_PARENTS
from smpler_model.cameras.messages import Message
from smpler_model.drawing.palette import colours_of
from smpler_model.frames import People
from smpler_ros.messages.bag_types import message_types_from_rosbags, register_smpler_msgs
from smpler_ros.messages.convert import header_message
from smpler_ros.messages.markers import (
    ADD,
    DELETE,
    DELETEALL,
    LINE_LIST,
    SPHERE_LIST,
    TRIANGLE_LIST,
    MeshMarkers,
    SkeletonMarkers,
)
from tests.random_people import random_people

STORE = get_typestore(Stores.ROS2_JAZZY)
register_smpler_msgs(STORE)
TYPES = message_types_from_rosbags(STORE)
HEADER = header_message(TYPES, 17_000_000_005, "camera")
FACES = np.random.default_rng(1).integers(0, 30, (50, 3))


def read(raw: bytes) -> list[Message]:
    return STORE.deserialize_cdr(raw, "visualization_msgs/msg/MarkerArray").markers


def points_of(marker: Message) -> np.ndarray:
    return np.array([(point.x, point.y, point.z) for point in marker.points])


def some_of(people: People, rows: list[int]) -> People:
    return People(**{n: v if v is None else v[rows] for n, v in vars(people).items()})


def test_constants_equal_the_message_s() -> None:
    marker = TYPES.marker()
    ours = (ADD, DELETE, DELETEALL, LINE_LIST, SPHERE_LIST, TRIANGLE_LIST)
    assert ours == (
        *(marker.ADD, marker.DELETE, marker.DELETEALL),
        *(marker.LINE_LIST, marker.SPHERE_LIST, marker.TRIANGLE_LIST),
    )


def test_one_mesh_per_person() -> None:
    people = random_people(3, vertices=30)
    assert people.vertices_m is not None
    markers = read(MeshMarkers(TYPES, FACES, lifetime_s=0.25, alpha=0.5).serialize(HEADER, people))
    assert [marker.id for marker in markers] == people.ids.tolist()
    for marker, vertices in zip(markers, people.vertices_m, strict=True):
        np.testing.assert_array_equal(points_of(marker), vertices[FACES].reshape(-1, 3))
        assert (marker.header.stamp.sec, marker.header.frame_id) == (17, "camera")
        assert (marker.ns, marker.type, marker.action) == ("mesh", TRIANGLE_LIST, ADD)
        assert (marker.lifetime.sec, marker.lifetime.nanosec) == (0, 250_000_000)
        assert (marker.scale.x, marker.scale.y, marker.scale.z) == (1, 1, 1)
        turn = marker.pose.orientation
        assert (turn.x, turn.y, turn.z, turn.w) == (0, 0, 0, 1)
        assert marker.colors == []
        colour = [marker.color.r, marker.color.g, marker.color.b]
        np.testing.assert_allclose(colour, colours_of([marker.id])[0] / 255, rtol=1e-6)
        assert marker.color.a == 0.5


def test_a_complete_mesh() -> None:
    generator = np.random.default_rng(0)
    faces = generator.integers(0, 6890, (13776, 3))
    people = random_people(2, vertices=6890)
    assert people.vertices_m is not None
    markers = read(MeshMarkers(TYPES, faces).serialize(HEADER, people))
    for marker, vertices in zip(markers, people.vertices_m, strict=True):
        np.testing.assert_array_equal(points_of(marker), vertices[faces].reshape(-1, 3))


def test_bones_and_joints() -> None:
    people = random_people(2)
    markers = read(SkeletonMarkers(TYPES).serialize(HEADER, people))
    kinds = [(marker.ns, marker.id, marker.type) for marker in markers]
    assert kinds == [
        ("skeleton", 100, LINE_LIST),
        ("skeleton_joints", 100, SPHERE_LIST),
        ("skeleton", 107, LINE_LIST),
        ("skeleton_joints", 107, SPHERE_LIST),
    ]
    bones = points_of(markers[2]).reshape(23, 2, 3)
    np.testing.assert_array_equal(bones[:, 0], people.joints_m[1, list(SMPL_PARENTS[1:])])
    np.testing.assert_array_equal(bones[:, 1], people.joints_m[1, 1:])
    np.testing.assert_array_equal(points_of(markers[3]), people.joints_m[1])
    assert all(marker.scale.x > 0 for marker in markers)


def actions(raw: bytes) -> list[tuple[str, int, int]]:
    return [(marker.ns, marker.id, marker.action) for marker in read(raw)]


def test_people_who_left_are_deleted_once() -> None:
    people = random_people(3, vertices=30)
    meshes = MeshMarkers(TYPES, FACES)
    meshes.serialize(HEADER, people)
    rest = some_of(people, [1])
    assert actions(meshes.serialize(HEADER, rest)) == [
        ("mesh", 100, DELETE),
        ("mesh", 114, DELETE),
        ("mesh", 107, ADD),
    ]
    assert actions(meshes.serialize(HEADER, rest)) == [("mesh", 107, ADD)]
    assert actions(meshes.serialize(HEADER, random_people(0))) == [("mesh", 107, DELETE)]
    assert actions(meshes.serialize(HEADER, random_people(0))) == []


def test_people_who_left_are_deleted_in_all_namespaces() -> None:
    skeletons = SkeletonMarkers(TYPES, namespace="s")
    skeletons.serialize(HEADER, random_people(1))
    gone = actions(skeletons.serialize(HEADER, random_people(0)))
    assert gone == [("s", 100, DELETE), ("s_joints", 100, DELETE)]


def test_clear_deletes_everything_and_resets() -> None:
    skeletons = SkeletonMarkers(TYPES, namespace="s")
    skeletons.serialize(HEADER, random_people(1))
    cleared = actions(skeletons.serialize_clear(HEADER))
    assert cleared == [("s", 0, DELETEALL), ("s_joints", 0, DELETEALL)]
    assert actions(skeletons.serialize(HEADER, random_people(0))) == []


def test_meshes_must_have_been_computed() -> None:
    with pytest.raises(ValueError, match="must have meshes to display them, got none"):
        MeshMarkers(TYPES, FACES).serialize(HEADER, random_people(1))
