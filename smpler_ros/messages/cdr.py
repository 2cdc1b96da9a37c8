"""Marker arrays as CDR bytes, with the points inserted by NumPy.

A mesh has 41,328 points, and rclpy needs an object for each; `benchmarks/markers.py` measures the
cost. Here, the message classes serialise the message with a single point per marker, which defines
the layout, and the actual points then replace that one. A point is 24 bytes, a multiple of CDR's
largest alignment (8, in the encoding that ROS 2 uses), so the alignment of everything after it is
unchanged.

Source: OMG, "DDS Interoperability Wire Protocol" (encapsulation), and OMG CORBA, "Common Data
Representation" (alignment).
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from smpler_model.array_types import AnyFloats
from smpler_model.cameras.messages import Message
from smpler_ros.messages.message_types import MessageTypes

_ENCAPSULATION = b"\x00\x01\x00\x00"  # plain CDR, little endian
_POINT = struct.Struct("<3d")
_COUNT = struct.Struct("<I")
_ALIGNMENT = 8


@dataclass(frozen=True)
class PointMarker:
    """A marker and its points.

    Attributes:
        message: a `visualization_msgs/Marker` without points.
        points: (n, 3) metres; empty for a marker without points.
    """

    message: Message
    points: AnyFloats


def serialize_markers(types: MessageTypes, markers: Sequence[PointMarker]) -> bytes:
    """Return the CDR bytes of a `visualization_msgs/MarkerArray`.

    They equal those of the full message except for padding, which Fast CDR leaves undefined. Both
    `publish` of rclpy and the writers of `rosbags` accept them.

    Args:
        types: the message classes.
        markers: the markers in order. Each of their messages is given one point, and keeps it.

    Raises:
        ValueError: the classes serialise in an unknown layout.
    """
    marks = _distinct_points(len(markers))
    for marker, mark in zip(markers, marks, strict=True):
        if len(marker.points):
            marker.message.points = [types.point(x=mark[0], y=mark[1], z=mark[2])]
    template = types.serialize(types.marker_array(markers=[m.message for m in markers]))
    if template[:4] != _ENCAPSULATION:
        raise ValueError(
            f"markers must be serialised as little-endian CDR, got the header "
            f"{template[:4].hex()}; choose a middleware that does so, for example Fast DDS"
        )
    pieces: list[bytes | memoryview] = []
    done = 0
    for marker, mark in zip(markers, marks, strict=True):
        if len(marker.points):
            start, end = _find_sequence(template, done, mark)
            points = np.ascontiguousarray(marker.points, "<f8")
            between = template[start + _COUNT.size : end - _POINT.size]
            pieces += [template[done:start], _COUNT.pack(len(points)), between, points.data]
            done = end
    return b"".join([*pieces, template[done:]])


def _distinct_points(n: int) -> list[tuple[float, float, float]]:
    """Return points whose bytes occur nowhere else in a template."""
    return [(0.1 + i, 0.7 - i, 1 / (3 + i)) for i in range(n)]


def _find_sequence(
    template: bytes, start: int, mark: tuple[float, float, float]
) -> tuple[int, int]:
    """Return where a sequence with one known point begins and ends."""
    point = template.find(_POINT.pack(*mark), start)
    if point < 0 or (point - len(_ENCAPSULATION)) % _ALIGNMENT:
        raise ValueError(
            "a marker must hold its points as aligned doubles, got something else; this "
            "middleware's encoding is not plain CDR, choose for example Fast DDS"
        )
    # The number of points directly precedes them, or precedes four bytes of alignment. In the
    # first case, the bytes before the number are the flag `frame_locked`, 0, and its padding.
    for begin in (point - _ALIGNMENT, point - _COUNT.size):
        if _COUNT.unpack_from(template, begin) == (1,):
            return begin, point + _POINT.size
    raise ValueError(
        "a marker must hold the number of its points before them, got something else; this "
        "middleware's encoding is not plain CDR, choose for example Fast DDS"
    )
