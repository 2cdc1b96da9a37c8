"""Start the node for one camera and, optionally, the camera's driver, RViz and the viewer.

Examples:
    ros2 launch smpler_ros camera.launch.py driver:=usb_cam namespace:=camera rviz:=true
    ros2 launch smpler_ros camera.launch.py driver:=usb_cam viewer:=true viewer_host:=0.0.0.0
    ros2 launch smpler_ros camera.launch.py image:=/camera/color/image_raw \
        camera_info:=/camera/color/camera_info
"""

from dataclasses import dataclass, replace

from launch.action import Action
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterFile, ParameterValue
from launch_ros.substitutions import FindPackageShare

from launch import LaunchContext, LaunchDescription
from smpler_ros.parameters.launch_arguments import (
    check_arguments,
    check_program,
    check_values,
    existing_file,
    fixed_frame_in,
)

SHARE = FindPackageShare("smpler_ros")
WORLD_FRAME = "map"  # of RViz, where people are in their camera's frame
STOP_TIMEOUT_S = "10"  # nodes end within 8 s of a signal


@dataclass(frozen=True)
class Driver:
    """The program of a camera driver, and its topics relative to the namespace."""

    executable: str
    image: str = "image_raw"
    camera_info: str = "camera_info"
    depth: str = "depth"


DRIVER_NAME = "camera"  # of the driver's node, after which some drivers name their topics
DRIVERS = {
    "camera_ros": Driver("camera_node", "camera/image_raw", "camera/camera_info"),
    "realsense2_camera": Driver(
        "realsense2_camera_node",
        "camera/color/image_raw",
        "camera/color/camera_info",
        "camera/aligned_depth_to_color/image_raw",
    ),
    "usb_cam": Driver("usb_cam_node_exe"),
    "v4l2_camera": Driver("v4l2_camera_node"),
}

ARGUMENTS = (
    ("namespace", "", "Namespace of the node, its topics, the driver and RViz."),
    (
        "image",
        "",
        "Image topic; if empty, that of the driver, or image_raw without one. Compressed images "
        "are expected on <image>/compressed, with image_transport:=compressed.",
    ),
    (
        "image_transport",
        "",
        "raw or compressed; if empty, as in params_file.",
    ),
    (
        "camera_info",
        "",
        "Calibration topic; if empty, that of the driver, or camera_info without one.",
    ),
    (
        "depth",
        "",
        "Topic of depth images aligned with the image, for the parameter use_depth; if empty, "
        "that of the driver, or depth without one.",
    ),
    ("detections", "detections", "Topic of vision_msgs/Detection2DArray for detector:=topic."),
    (
        "params_file",
        PathJoinSubstitution([SHARE, "config", "camera.yaml"]),
        "Parameter file of the node; copy and edit the default one.",
    ),
    ("model", "", "Shipped model or path of a checkpoint; if empty, as in params_file."),
    ("body", "", "SMPL file or folder of SMPL files; if empty, as in params_file."),
    (
        "detector",
        "",
        "person, torchvision, onnx, motion, full_image or topic; if empty, as in params_file.",
    ),
    ("device", "", "auto, cpu, cuda or a GPU such as cuda:1; if empty, as in params_file."),
    (
        "tf_prefix",
        "",
        "Prefix of the names of people's frames; if empty, as in params_file, or else the "
        "namespace.",
    ),
    (
        "driver",
        "none",
        "Package of a camera driver to start, or none. Known: " + ", ".join(DRIVERS) + ".",
    ),
    (
        "driver_executable",
        "",
        "Executable of the driver; may be empty for known drivers.",
    ),
    ("driver_params_file", "", "Parameter file of the driver; if empty, its own defaults."),
    ("rviz", "false", "Whether to start RViz."),
    (
        "rviz_config",
        PathJoinSubstitution([SHARE, "config", "smpler.rviz"]),
        "Configuration of RViz.",
    ),
    (
        "fixed_frame",
        "",
        "Frame with z up, fixed in the world, in which people are filtered; if empty, as in "
        "params_file. RViz and place_camera use it, too, or map if neither sets it.",
    ),
    (
        "place_camera",
        LaunchConfiguration("rviz"),
        "Whether to publish a camera pose, from camera_height and camera_pitch, in RViz's frame "
        "if nothing else publishes one; by default only with RViz.",
    ),
    (
        "viewer",
        "false",
        "Whether to show people in a browser; the log gives the address of the page.",
    ),
    (
        "viewer_host",
        "localhost",
        "Address at which the page is served; with 0.0.0.0, other machines can open it, too.",
    ),
    ("viewer_port", "8080", "Port of the page; the next free one where it is taken."),
    (
        "camera_height",
        "1.2",
        "For place_camera and viewer, where no transform gives the camera's pose: height above "
        "the floor, metres.",
    ),
    (
        "camera_pitch",
        "0.0",
        "For place_camera and viewer, likewise: angle by which the camera looks down, degrees.",
    ),
    ("use_sim_time", "false", "Whether time comes from /clock."),
    ("log_level", "info", "debug, info, warn, error or fatal."),
)
OVERRIDES = (
    "image_transport",
    "model",
    "body",
    "detector",
    "device",
    "tf_prefix",
    "fixed_frame",
)
SWITCHES = ("rviz", "place_camera", "viewer")
OF_THE_VIEWER = ("image_transport", "model", "body")  # of the overrides
# Parameters of the viewer, with the launch arguments that set them.
PAGE = {
    "host": ("viewer_host", str),
    "port": ("viewer_port", int),
    "camera_height": ("camera_height", float),
    "camera_pitch": ("camera_pitch", float),
    "use_sim_time": ("use_sim_time", bool),
}
# Parameters of the camera stand, with the launch arguments that set them.
STAND = {
    "height": ("camera_height", float),
    "pitch": ("camera_pitch", float),
}
KINDS = dict([*PAGE.values(), *STAND.values()]) | dict.fromkeys(SWITCHES, bool)


def generate_launch_description() -> LaunchDescription:
    """Return the arguments and the actions."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, default, description in ARGUMENTS
    ]
    profile = PathJoinSubstitution([SHARE, "launch", "fastdds.launch.py"])
    return LaunchDescription(
        [
            *declared,
            OpaqueFunction(function=refuse_invalid_arguments),
            IncludeLaunchDescription(PythonLaunchDescriptionSource(profile)),
            OpaqueFunction(function=all_actions),
        ]
    )


def parameter_of(argument: str, kind: type) -> ParameterValue:
    """Return an argument's value as a parameter of a type."""
    return ParameterValue(LaunchConfiguration(argument), value_type=kind)


def refuse_invalid_arguments(context: LaunchContext) -> None:
    """Refuse what `launch` would ignore, or would meet only after it has started something."""
    declared = generate_launch_description().get_launch_arguments()
    check_arguments(__file__, context.argv, [argument.name for argument in declared])
    given = values_of(context)
    check_values(given, KINDS)
    if IfCondition(given["rviz"]).evaluate(context):
        remedy = "give rviz:=false; viewer:=true shows people in a browser"
        check_program("rviz:=true", "rviz2", "rviz2", remedy)
    if (package := given["driver"]) != "none":
        executable = find_driver(package, given["driver_executable"]).executable
        remedy = "start the camera yourself and give its topics, image:= and camera_info:="
        check_program(f"driver:={package}", package, executable, remedy)


def all_actions(context: LaunchContext) -> list[Action]:
    """Return everything that is started: nothing is, if an error occurs on the way."""
    return [
        *camera_actions(context),
        *viewer_actions(context),
        *world_actions(context),
    ]


def camera_actions(context: LaunchContext) -> list[Action]:
    """Return the node and its camera's driver."""
    given = values_of(context)
    package = given["driver"]
    driver = find_driver(package, given["driver_executable"])
    time = {"use_sim_time": parameter_of("use_sim_time", bool)}
    overrides = overrides_of(given, OVERRIDES)
    node = Node(
        package="smpler_ros",
        executable="smpler_node",
        name="smpler_node",
        namespace=given["namespace"],
        parameters=[
            ParameterFile(existing_file("params_file", given["params_file"])),
            overrides | time,
        ],
        remappings=list(topics_of(given).items()),
        ros_arguments=["--log-level", given["log_level"]],
        output="screen",
        sigterm_timeout=STOP_TIMEOUT_S,
    )
    if package == "none":
        return [node]
    file = given["driver_params_file"]
    driver_parameters = [ParameterFile(existing_file("driver_params_file", file))] if file else []
    return [
        Node(
            package=package,
            executable=driver.executable,
            name=DRIVER_NAME,
            namespace=given["namespace"],
            parameters=[*driver_parameters, time],
            ros_arguments=["--log-level", given["log_level"]],
            output="screen",
            sigterm_timeout=STOP_TIMEOUT_S,
        ),
        node,
    ]


def viewer_actions(context: LaunchContext) -> list[Action]:
    """Return the viewer of the same camera."""
    given = values_of(context)
    topics = topics_of(given)
    viewer = Node(
        package="smpler_ros",
        executable="viewer",
        name="viewer",
        namespace=given["namespace"],
        parameters=[
            ParameterFile(existing_file("params_file", given["params_file"])),
            overrides_of(given, OF_THE_VIEWER)
            | {name: parameter_of(argument, kind) for name, (argument, kind) in PAGE.items()},
        ],
        remappings=[(name, topics[name]) for name in ("image", "camera_info")],
        ros_arguments=["--log-level", given["log_level"]],
        output="screen",
        sigterm_timeout=STOP_TIMEOUT_S,
        condition=IfCondition(LaunchConfiguration("viewer")),
    )
    return [viewer]


def world_actions(context: LaunchContext) -> list[Action]:
    """Return what needs the world's frame: the camera stand, and RViz."""
    given = values_of(context)
    is_on = {name: IfCondition(given[name]) for name in ("place_camera", "rviz")}
    if not any(condition.evaluate(context) for condition in is_on.values()):
        return []
    frame = given["fixed_frame"] or fixed_frame_in(given["params_file"]) or WORLD_FRAME
    stand = Node(
        package="smpler_ros",
        executable="camera_stand",
        name="camera_stand",
        namespace=given["namespace"],
        parameters=[
            {"world_frame": ParameterValue(frame, value_type=str)}
            | {name: parameter_of(argument, kind) for name, (argument, kind) in STAND.items()}
        ],
        ros_arguments=["--log-level", given["log_level"]],
        output="screen",
        condition=is_on["place_camera"],
    )
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        namespace=given["namespace"],
        arguments=["--display-config", given["rviz_config"], "--fixed-frame", frame],
        parameters=[{"use_sim_time": parameter_of("use_sim_time", bool)}],
        condition=is_on["rviz"],
    )
    return [stand, rviz]


def values_of(context: LaunchContext) -> dict[str, str]:
    """Return the values of all arguments."""
    return {name: LaunchConfiguration(name).perform(context) for name, _, _ in ARGUMENTS}


def topics_of(given: dict[str, str]) -> dict[str, str]:
    """Return the topics that the node subscribes to, by the node's names for them."""
    driver = find_driver(given["driver"], given["driver_executable"])
    return {
        "image": given["image"] or driver.image,
        "camera_info": given["camera_info"] or driver.camera_info,
        "depth": given["depth"] or driver.depth,
        "detections": given["detections"],
    }


def overrides_of(given: dict[str, str], names: tuple[str, ...]) -> dict[str, ParameterValue]:
    """Return the parameters that arguments set; an empty argument sets none."""
    return {name: ParameterValue(given[name], value_type=str) for name in names if given[name]}


def find_driver(package: str, executable: str) -> Driver:
    """Return a driver by its package; a given executable replaces the known one.

    Raises:
        ValueError: the driver is unknown and no executable is given.
    """
    if package == "none":
        return Driver("")
    if package in DRIVERS:
        known = DRIVERS[package]
        return replace(known, executable=executable or known.executable)
    if not executable:
        raise ValueError(
            f"driver must be none or one of {', '.join(DRIVERS)}, got '{package}'; name its "
            "executable with driver_executable:="
        )
    return Driver(executable)
