"""Names of cameras, which are namespaces of topics."""

from rclpy.exceptions import InvalidTopicNameException
from rclpy.expand_topic_name import expand_topic_name
from rclpy.node import Node
from rclpy.validate_full_topic_name import validate_full_topic_name

from smpler_model.settings.world import FUSED
from smpler_ros.inputs.camera_input import join_names


def check_camera_names(node: Node, names: tuple[str, ...], *, are_fused: bool = False) -> None:
    """Check the cameras' names against each other and against ROS's rules.

    Args:
        node: the node in whose namespace they are.
        names: the names.
        are_fused: whether the node fuses the cameras' people.

    Raises:
        ValueError: no name, a duplicate, a name that ROS does not allow, or that of fused people.
    """
    topics = set()
    for name in names:
        try:
            topic = _image_topic(node, name)
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
    if are_fused and _image_topic(node, FUSED) in topics:
        raise ValueError(
            f"no camera may be named {FUSED} where views are fused, got {list(names)}; rename "
            "this camera, as its topics would be those of fused people"
        )


def _image_topic(node: Node, camera: str) -> str:
    """Return the full name of a camera's images, before remapping."""
    return expand_topic_name(join_names(camera, "image"), node.get_name(), node.get_namespace())
