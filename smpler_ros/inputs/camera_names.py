"""Names of cameras, which are namespaces of topics."""

from rclpy.exceptions import InvalidTopicNameException
from rclpy.expand_topic_name import expand_topic_name
from rclpy.node import Node
from rclpy.validate_full_topic_name import validate_full_topic_name

from smpler_ros.inputs.camera_input import join_names


def check_camera_names(node: Node, names: tuple[str, ...]) -> None:
    """Check the cameras' names against each other and against ROS's rules.

    Raises:
        ValueError: no name, a duplicate, or a name that ROS does not allow.
    """
    topics = set()
    for name in names:
        try:
            topic = expand_topic_name(
                join_names(name, "image"), node.get_name(), node.get_namespace()
            )
            validate_full_topic_name(topic)
            topics.add(topic)
        except (ValueError, InvalidTopicNameException) as error:
            raise ValueError(
                "cameras must be names of letters, digits, _ and /, with no digit after a /, got "
                f"'{name}'; rename this camera"
            ) from error
    if not names or len(topics) != len(names):
        raise ValueError(
            f"cameras must name each camera once, got {list(names)}; give every camera a "
            "namespace of its own"
        )
