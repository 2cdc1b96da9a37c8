"""Markers as bytes over real topics."""

import numpy as np
from rclpy.qos import QoSProfile
from rclpy.serialization import serialize_message
from visualization_msgs.msg import MarkerArray

from smpler_ros.messages.convert import header_message
from smpler_ros.messages.markers import MeshMarkers
from smpler_ros.messages.message_types import message_types_from_ros
from tests.random_people import random_people
from tests.ros.peer import Peer


def test_a_subscriber_gets_everybody_s_mesh(reliable_peer: Peer) -> None:
    types = message_types_from_ros(serialize_message)
    faces = np.random.default_rng(0).integers(0, 6890, (13776, 3))
    people = random_people(2, vertices=6890)
    node, received = reliable_peer.node, []
    publisher = node.create_publisher(MarkerArray, "meshes", QoSProfile(depth=1))
    node.create_subscription(MarkerArray, "meshes", received.append, QoSProfile(depth=1))
    reliable_peer.spin_until(lambda: publisher.get_subscription_count() == 1)
    header = header_message(types, 17_000_000_005, "camera")
    publisher.publish(MeshMarkers(types, faces).serialize(header, people))
    reliable_peer.spin_until(lambda: len(received) == 1)
    assert people.vertices_m is not None
    for marker, vertices in zip(received[0].markers, people.vertices_m, strict=True):
        got = [(point.x, point.y, point.z) for point in marker.points]
        np.testing.assert_array_equal(got, vertices[faces].reshape(-1, 3))
