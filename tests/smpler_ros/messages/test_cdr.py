"""Marker arrays as bytes, compared with a full serialisation by rosbags."""

from typing import TypedDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rosbags.typesys import Stores, get_typestore

from smpler_model.cameras.messages import Message
from smpler_ros.messages.bag_types import message_types_from_rosbags, register_smpler_msgs
from smpler_ros.messages.cdr import PointMarker, serialize_markers
from smpler_ros.messages.convert import header_message
from smpler_ros.messages.message_types import MessageTypes

DISTRIBUTIONS = [
    Stores.ROS2_FOXY,  # without textures
    Stores.ROS2_HUMBLE,
    Stores.ROS2_JAZZY,
    Stores.ROS2_KILTED,
    Stores.ROS2_LYRICAL,
]


class Fields(TypedDict):
    """Fields that vary the alignment of what follows."""

    ns: str
    text: str
    mesh_resource: str
    id: int
    points: int


def types_of(distribution: Stores) -> MessageTypes:
    store = get_typestore(distribution)
    register_smpler_msgs(store)
    return message_types_from_rosbags(store)


TYPES = {distribution: types_of(distribution) for distribution in DISTRIBUTIONS}


def marker_of(types: MessageTypes, header: Message, fields: Fields) -> Message:
    texts = {"ns": fields["ns"], "text": fields["text"]}
    return types.marker(
        header=header, id=fields["id"], mesh_resource=fields["mesh_resource"], **texts
    )


def serialize_in_full(
    types: MessageTypes, markers: list[Message], points: list[np.ndarray]
) -> bytes:
    for marker, rows in zip(markers, points, strict=True):
        marker.points = [types.point(x=x, y=y, z=z) for x, y, z in rows.tolist()]
    return types.serialize(types.marker_array(markers=markers))


texts = st.text(max_size=9)
markers_strategy = st.lists(
    st.fixed_dictionaries(
        {
            "ns": texts,
            "text": texts,
            "mesh_resource": texts,
            "id": st.integers(-(2**31), 2**31 - 1),
            "points": st.integers(0, 5),
        }
    ),
    max_size=5,
)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=lambda store: store.name)
@given(frame_id=texts, markers=markers_strategy, seed=st.integers(0, 99))
def test_bytes_equal_a_full_serialisation(
    distribution: Stores, frame_id: str, markers: list[Fields], seed: int
) -> None:
    types = TYPES[distribution]
    header = header_message(types, 3_000_000_004, frame_id)
    generator = np.random.default_rng(seed)
    points = [generator.normal(size=(fields["points"], 3)) for fields in markers]
    ours = serialize_markers(
        types,
        [
            PointMarker(marker_of(types, header, fields), rows)
            for fields, rows in zip(markers, points, strict=True)
        ],
    )
    messages = [marker_of(types, header, fields) for fields in markers]
    assert ours == serialize_in_full(types, messages, points)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, ">f8"])
def test_points_of_every_float_type(dtype: str) -> None:
    types = TYPES[Stores.ROS2_JAZZY]
    points = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32).astype(dtype)
    ours = serialize_markers(types, [PointMarker(types.marker(), points[::2])])
    assert ours == serialize_in_full(types, [types.marker()], [points[::2].astype(np.float64)])


def test_another_encoding_is_refused() -> None:
    types = TYPES[Stores.ROS2_JAZZY]
    marker = PointMarker(types.marker(), np.ones((2, 3)))
    store = get_typestore(Stores.ROS2_JAZZY)

    def big_endian(message: Message) -> bytes:
        return bytes(store.serialize_cdr(message, message.__msgtype__, little_endian=False))

    others = MessageTypes(**{**vars(types), "serialize": big_endian})
    with pytest.raises(ValueError, match="little-endian CDR, got the header 00000000"):
        serialize_markers(others, [marker])
