"""What decides the node besides the pipeline, and what of that also decides how bags are read."""

from dataclasses import replace

from smpler_model.parameters import Parameter

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
        "yuv422",
        "uyvy",
        "Order of the bytes in images that are labelled yuv422: uyvy as ROS defines it, or yuyv, "
        "which older drivers send under that name.",
        choices=("uyvy", "yuyv"),
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
"""The node's own parameters."""

ANY_NODES = ("qos_overrides", "start_type_description_service", "use_sim_time")
"""Names of the parameters that ROS gives every node."""


def choose(*names: str) -> tuple[Parameter, ...]:
    """Return those of the node's own parameters that have these names, in this order."""
    table = {parameter.name: parameter for parameter in ROS_PARAMETERS}
    return tuple(table[name] for name in names)


_RECTIFIED, _USE_DEPTH, _TOLERANCE, _YUV422 = choose(
    "rectified", "use_depth", "pairing_tolerance", "yuv422"
)

BAG_PARAMETERS = (
    _RECTIFIED,
    replace(_USE_DEPTH, description="Take people's distance from aligned depth images."),
    replace(
        _TOLERANCE, description="How far the stamps of an image and of its depth may be apart."
    ),
    _YUV422,
)
"""Those that decide how a bag is read. Their defaults hold where a bag does not tell."""
