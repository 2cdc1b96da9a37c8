"""What a user can set of the node: the pipeline's parameters, and those that only ROS knows."""

from dataclasses import replace

from smpler_model.parameters import PARAMETERS, Parameter

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


ROS_PARAMETERS = (
    Parameter("autostart", True, "Configure and activate at start, without a lifecycle manager."),
    Parameter(
        "cameras",
        ("",),
        "Namespaces of the cameras, one batch for all; an empty one is the node's own.",
    ),
    Parameter(
        "image_transport",
        "raw",
        "Which topic carries the images: raw (`image`) or compressed (`image/compressed`).",
        choices=("raw", "compressed"),
    ),
    Parameter(
        "rectified",
        False,
        "Whether the images are rectified already: then the calibration's P holds, without lens.",
    ),
    Parameter(
        "use_depth",
        False,
        "Take people's distance from `depth`, a depth image that is aligned with the image.",
    ),
    Parameter(
        "pairing_tolerance",
        0.02,
        "How far the stamps of an image and of its depth or detections may be apart.",
        unit="s",
        minimum=0.0,
        maximum=1.0,
    ),
    Parameter(
        "person_labels",
        ("person", "0"),
        "Labels of people in `detections`; boxes without a label are people, too.",
    ),
    Parameter(
        "publish_tf", True, "Publish the frames of 24 joints for each person on /tf.", live=True
    ),
    Parameter("tf_prefix", "", "Before the names of frames: <tf_prefix>person_<id>/<joint>."),
    Parameter(
        "publish_vertices",
        False,
        "Put each person's 6890 vertices into `people`, 83 kB a person.",
        live=True,
    ),
    Parameter(
        "marker_lifetime",
        0.5,
        "Markers vanish when nothing new comes for this long; 0 keeps them.",
        unit="s",
        minimum=0.0,
        maximum=60.0,
    ),
    Parameter(
        "mesh_opacity",
        1.0,
        "Of the mesh markers; 1 hides what is behind.",
        minimum=0.05,
        maximum=1.0,
    ),
    Parameter(
        "overlay_mesh",
        True,
        "Draw meshes into `overlay/compressed`; skeletons alone are much quicker.",
        live=True,
    ),
    Parameter(
        "jpeg_quality",
        80,
        "Of `overlay/compressed`.",
        minimum=1,
        maximum=100,
        live=True,
    ),
    Parameter(
        "publish_hri",
        False,
        "Publish REP 155's topics and frames below /humans/bodies, too; needs hri_msgs.",
    ),
)
"""What decides the node alone."""

NODE_PARAMETERS = (*ROS_PARAMETERS, *map(_for_node, PARAMETERS))
"""All parameters of the node."""
