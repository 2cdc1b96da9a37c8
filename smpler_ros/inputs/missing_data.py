"""Messages that explain why a topic is silent."""

from collections.abc import Sequence

from rclpy.topic_endpoint_info import TopicEndpointInfo

from smpler_ros.inputs.reception import SILENCE_S


def explain_silence(
    topic: str,
    expected: str,
    publishers: Sequence[TopicEndpointInfo],
    elsewhere: str | None = None,
    transport: str = "compressed",
) -> str:
    """Return the likely reason for missing images, with the publishers, their types and QoS.

    Args:
        topic: where images are expected.
        expected: expected message type, such as `sensor_msgs/msg/Image`.
        publishers: publishers on the topic.
        elsewhere: topic of the same images in the other transport, if published.
        transport: that transport, `raw` or `compressed`.
    """
    silent = f"no image on {topic} for {SILENCE_S:.0f} s"
    if not publishers and elsewhere is not None:
        return (
            f"{silent} and it has no publisher, but {elsewhere} has one: set image_transport "
            f"to {transport}"
        )
    if not publishers:
        return (
            f"{silent} and it has no publisher: start the camera, or remap the topic "
            f"({_how_to_name('image')})"
        )
    remedy = "check that the camera is running"
    if any(publisher.topic_type != expected for publisher in publishers):
        remedy = f"expected {expected}; publish that type, or set image_transport"
    return f"{silent} although it is published by {describe_publishers(publishers)}: {remedy}"


def explain_missing_partner(
    name: str,
    topic: str,
    expected: str,
    publishers: Sequence[TopicEndpointInfo],
    *,
    consequence: str,
    gap_s: float | None,
) -> str:
    """Return the likely reason why images lack a paired input.

    Args:
        name: name of the paired input, for instance `depth`.
        topic: where it is expected.
        expected: expected message type.
        publishers: publishers on the topic.
        consequence: effect on these images.
        gap_s: difference between the timestamps of the last received one and a waiting image,
            negative if it is older than all of these; None if none was received.
    """
    silent = f"no {name} on {topic} matched an image for {SILENCE_S:.0f} s, {consequence}"
    if not publishers:
        return (
            f"{silent}: it has no publisher; start one, or remap the topic ({_how_to_name(name)})"
        )
    if any(publisher.topic_type != expected for publisher in publishers):
        return (
            f"{silent}: expected {expected} of {describe_publishers(publishers)}; "
            "publish that type"
        )
    if gap_s is None:
        return (
            f"{silent}: {describe_publishers(publishers)} publishes nothing; check that it runs "
            "and gets images"
        )
    if gap_s < 0:
        return (
            f"{silent}: the last one is {-gap_s:.3f} s older than the oldest waiting image; "
            "make its publisher faster or lower the images' rate, and give it the timestamp "
            "of its image"
        )
    return (
        f"{silent}: the last one's timestamp is {gap_s:.3f} s from the nearest image's; give it "
        "the timestamp of its image, or raise pairing_tolerance"
    )


def describe_publishers(publishers: Sequence[TopicEndpointInfo]) -> str:
    """Return the names of publishers, with types and reliability."""
    return ", ".join(
        f"{publisher.node_namespace.rstrip('/')}/{publisher.node_name} ({publisher.topic_type}, "
        f"{publisher.qos_profile.reliability.name.lower()})"
        for publisher in publishers
    )


def _how_to_name(topic: str) -> str:
    """Return how to remap a topic with the launch files and with ros2 run."""
    return (
        f"{topic}:=/your/topic with ros2 launch, --ros-args -r {topic}:=/your/topic with ros2 run"
    )
