"""What a user can set of the node: the pipeline's parameters, and those that only ROS knows."""

from dataclasses import replace

from smpler_model.parameters import PARAMETERS, Parameter
from smpler_model.ros_parameters import ROS_PARAMETERS

TOPIC_DETECTOR = "topic"


def _for_node(parameter: Parameter) -> Parameter:
    if parameter.name != "detector":
        return parameter
    return replace(
        parameter,
        choices=(*parameter.choices, TOPIC_DETECTOR),
        description=parameter.description[:-1]
        + ", topic (boxes from `detections`, a vision_msgs/Detection2DArray).",
    )


NODE_PARAMETERS = (*ROS_PARAMETERS, *map(_for_node, PARAMETERS))
"""All parameters of the node."""
