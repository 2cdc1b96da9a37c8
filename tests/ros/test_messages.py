"""The conversion layer with the message classes of rclpy.

Fast CDR leaves the bytes between aligned fields as it finds them in memory, so two serialisations
of one message by rclpy can differ there. `assert_equal_bytes` clears exactly those bytes.
"""

from array import array
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from rosbags.typesys import Stores, get_typestore
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

from smpler_model.bags.people_topics import people_from_message
from smpler_model.cameras.camera import Camera
from smpler_model.cameras.frame_reader import FrameReader
from smpler_model.cameras.messages import Message, decode_depth, decode_image
from smpler_model.frames import TrackState, TranslationSource
from smpler_msgs.msg import SmplPerson, SmplPersonArray
from smpler_ros.messages.bag_types import message_types_from_rosbags, register_smpler_msgs
from smpler_ros.messages.cdr import PointMarker, serialize_markers
from smpler_ros.messages.convert import (
    header_message,
    person_array_message,
    transforms_message,
)
from smpler_ros.messages.images import (
    camera_info_message,
    depth_message,
    image_message,
    jpeg_message,
)
from smpler_ros.messages.markers import MeshMarkers, SkeletonMarkers
from smpler_ros.messages.message_types import (
    MessageTypes,
    import_message_class,
    message_types_from_ros,
)
from tests.random_people import random_people, random_result

TYPES = message_types_from_ros(serialize_message)
STORE = get_typestore(Stores.ROS2_KILTED)
register_smpler_msgs(STORE)
BAG_TYPES = message_types_from_rosbags(STORE)
MARKERS = "visualization_msgs/msg/MarkerArray"
RGB = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
FACES = np.random.default_rng(1).integers(0, 6890, (13776, 3))


def header(types: MessageTypes = TYPES, frame_id: str = "camera") -> Message:
    return header_message(types, 17_000_000_005, frame_id)


def without_padding(raw: bytes, name: str) -> bytes:
    """Return serialised bytes with zeros between aligned fields, as rosbags writes them."""
    clean = bytes(STORE.serialize_cdr(STORE.deserialize_cdr(raw, name), name))
    assert len(clean) == len(raw)
    return clean


def assert_equal_bytes(first: bytes, second: bytes, name: str) -> None:
    assert without_padding(first, name) == without_padding(second, name)


@pytest.mark.parametrize("n", [0, 1, 3])
@pytest.mark.parametrize("vertices", [0, 6890])
@pytest.mark.parametrize("has_details", [False, True])
def test_people_serialise_equally_with_both_classes(
    n: int, vertices: int, has_details: bool
) -> None:
    result = random_result(n, vertices=vertices, has_details=has_details)
    raw = [
        types.serialize(
            person_array_message(types, header(types), "nano", result, vertices=vertices > 0)
        )
        for types in (TYPES, BAG_TYPES)
    ]
    assert_equal_bytes(*raw, "smpler_msgs/msg/SmplPersonArray")
    message = deserialize_message(raw[0], SmplPersonArray)
    people = people_from_message(message)
    np.testing.assert_array_equal(people.ids, result.people.ids)
    np.testing.assert_allclose(people.rotations, result.people.rotations, atol=1e-6)
    np.testing.assert_allclose(people.joints_m, result.people.joints_m, atol=1e-6)
    if n and vertices:
        np.testing.assert_array_equal(people.vertices_m, result.people.vertices_m)


def test_fields_pass_rclpy_s_checks() -> None:
    """Newer distributions check field types only on request; older ones always."""
    result = random_result(2, vertices=6890)

    def checked(**fields: object) -> Message:
        return SmplPerson(check_fields=True, **fields)

    types = replace(TYPES, person=checked)
    message = person_array_message(types, header(), "nano", result, vertices=True)
    assert isinstance(message.people[0].vertices, array)
    assert isinstance(message.people[0].joints, np.ndarray)


def test_numbers_of_states_and_sources_equal_the_message_s() -> None:
    for state in TrackState:
        assert getattr(SmplPerson, f"TRACKING_{state.name}") == state
    for source in TranslationSource:
        assert getattr(SmplPerson, f"TRANSLATION_FROM_{source.name}") == source


def test_transforms_serialise_equally_with_both_classes() -> None:
    raw = [
        types.serialize(transforms_message(types, header(types), random_people(3), "a/"))
        for types in (TYPES, BAG_TYPES)
    ]
    assert_equal_bytes(*raw, "tf2_msgs/msg/TFMessage")
    assert len(deserialize_message(raw[0], TFMessage).transforms) == 72


def test_images_serialise_equally_with_both_classes() -> None:
    depth_m = np.full((48, 64), 1.5, np.float32)
    camera = Camera(64, 48, 50, 51, 31.5, 23.5, "plumb_bob", (0.1, 0, 0, 0, 0))
    for types in (TYPES, BAG_TYPES):
        image = image_message(types, header(types), RGB)
        info = camera_info_message(types, header(types), camera)
        depth = depth_message(types, header(types), depth_m)
        frame = FrameReader().read(image, [info], depth)
        np.testing.assert_array_equal(frame.rgb, RGB)
        assert (frame.camera, frame.stamp_ns, frame.frame_id) == (camera, 17_000_000_005, "camera")
        np.testing.assert_array_equal(frame.depth_m, depth_m)
    for build, kind in [
        (lambda t: image_message(t, header(t), RGB), Image),
        (lambda t: depth_message(t, header(t), depth_m), Image),
        (lambda t: jpeg_message(t, header(t), RGB), CompressedImage),
        (lambda t: camera_info_message(t, header(t), camera), CameraInfo),
    ]:
        raw = TYPES.serialize(build(TYPES))
        message = build(BAG_TYPES)
        assert_equal_bytes(raw, BAG_TYPES.serialize(message), message.__msgtype__)
        assert isinstance(deserialize_message(raw, kind), kind)


def test_an_rgb8_image_is_decoded_without_a_copy() -> None:
    raw = TYPES.serialize(image_message(TYPES, header(), RGB))
    message = deserialize_message(raw, Image)
    rgb = decode_image(message)
    assert np.shares_memory(rgb, np.frombuffer(message.data, np.uint8))
    np.testing.assert_array_equal(rgb, RGB)


def test_depth_in_millimetres() -> None:
    message = Image(height=2, width=3, encoding="16UC1", step=6)
    message.data = array("B", np.array([0, 500, 1000] * 2, "<u2").tobytes())
    np.testing.assert_allclose(decode_depth(message), [[np.nan, 0.5, 1.0]] * 2)


texts = st.text(max_size=9)


@settings(max_examples=50)
@given(
    frame_id=texts,
    namespaces=st.lists(texts, max_size=4),
    counts=st.lists(st.integers(0, 4), min_size=4, max_size=4),
)
def test_markers_equal_a_full_serialisation_by_rclpy(
    frame_id: str, namespaces: list[str], counts: list[int]
) -> None:
    stamped = header(frame_id=frame_id)
    points = [np.random.default_rng(n).normal(size=(n, 3)) for n in counts]
    pairs = list(zip(namespaces, points, strict=False))
    ours = serialize_markers(
        TYPES, [PointMarker(TYPES.marker(header=stamped, ns=ns), rows) for ns, rows in pairs]
    )
    full = [
        TYPES.marker(
            header=stamped,
            ns=ns,
            points=[TYPES.point(x=x, y=y, z=z) for x, y, z in rows.tolist()],
        )
        for ns, rows in pairs
    ]
    assert_equal_bytes(ours, serialize_message(MarkerArray(markers=full)), MARKERS)


def test_meshes_equal_a_full_serialisation_by_rclpy() -> None:
    people = random_people(2, vertices=6890)
    raw = MeshMarkers(TYPES, FACES).serialize(header(), people)
    message = deserialize_message(raw, MarkerArray)
    assert people.vertices_m is not None
    for marker, vertices in zip(message.markers, people.vertices_m, strict=True):
        got = [(point.x, point.y, point.z) for point in marker.points]
        np.testing.assert_array_equal(got, vertices[FACES].reshape(-1, 3))
    assert_equal_bytes(raw, serialize_message(message), MARKERS)


def test_markers_serialise_equally_with_both_classes() -> None:
    people = random_people(3, vertices=6890)
    for create in (lambda types: MeshMarkers(types, FACES), SkeletonMarkers):
        raw = []
        for types in (TYPES, BAG_TYPES):
            markers = create(types)
            first = markers.serialize(header(types), people)
            gone = markers.serialize(header(types), random_people(1, vertices=6890))
            raw.append((first, gone, markers.serialize_clear(header(types))))
        for ours, theirs in zip(*raw, strict=True):
            assert_equal_bytes(ours, theirs, MARKERS)


def test_a_missing_package_is_named() -> None:
    with pytest.raises(ImportError, match="no_such_msgs"):
        import_message_class("no_such_msgs/msg/Thing")
