"""Start the synthetic camera, the node, and RViz or a page: no camera, no downloads are needed.

Also takes the arguments of camera.launch.py. Example:
    ros2 launch smpler_ros demo.launch.py people:=2 rviz:=false
"""

from launch.action import Action
from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    LogInfo,
    OpaqueFunction,
    SetLaunchConfiguration,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterFile, ParameterValue
from launch_ros.substitutions import FindPackageShare

from launch import LaunchContext, LaunchDescription
from smpler_ros.parameters.launch_arguments import (
    check_arguments,
    existing_file,
    has_program,
)

SHARE = FindPackageShare("smpler_ros")
STOP_TIMEOUT_S = "10"  # nodes end within 8 s of a signal
ARGUMENTS = (
    (
        "camera_params_file",
        PathJoinSubstitution([SHARE, "config", "synthetic_camera.yaml"]),
        "Parameter file of the synthetic camera; copy and edit the default one.",
    ),
    ("people", "", "Number of people in the room; if empty, as in camera_params_file."),
    ("rate", "", "Frame rate, images/s; if empty, as in camera_params_file."),
    ("seed", "", "Random seed of room and people; if empty, as in camera_params_file."),
    ("detector", "", "As for camera.launch.py."),
    (
        "rviz",
        "auto",
        "Whether to start RViz; auto starts it if it is installed, and the viewer if not.",
    ),
)
OVERRIDES = ("people", "rate", "seed")  # the camera itself rejects invalid values


def generate_launch_description() -> LaunchDescription:
    """Return the arguments and the actions."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, default, description in ARGUMENTS
    ]
    node = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(PathJoinSubstitution([SHARE, "launch", "camera.launch.py"])),
        launch_arguments={
            "image": "image",
            "camera_info": "camera_info",
            "depth": "depth",
            "detector": LaunchConfiguration("detector"),
            "rviz": LaunchConfiguration("rviz"),
        }.items(),
    )
    return LaunchDescription(
        [
            *declared,
            OpaqueFunction(function=refuse_invalid_arguments),
            OpaqueFunction(function=choose_view),
            node,  # before the camera, as it checks the other arguments
            OpaqueFunction(function=camera_actions),
        ]
    )


def refuse_invalid_arguments(context: LaunchContext) -> None:
    """Refuse what `launch` would ignore, or would meet only after it has started something."""
    declared = generate_launch_description().get_launch_arguments()
    check_arguments(__file__, context.argv, [argument.name for argument in declared])
    path = LaunchConfiguration("camera_params_file").perform(context)
    existing_file("camera_params_file", path)


def choose_view(context: LaunchContext) -> list[Action]:
    """Return what replaces rviz:=auto: RViz if it is installed, else the viewer."""
    if LaunchConfiguration("rviz").perform(context) != "auto":
        return []
    if has_program("rviz2", "rviz2"):
        return [SetLaunchConfiguration("rviz", "true")]
    without = SetLaunchConfiguration("rviz", "false")
    if LaunchConfiguration("viewer", default="").perform(context):
        return [without]
    note = "RViz is not installed, so people are shown in a browser, as with viewer:=true"
    return [without, SetLaunchConfiguration("viewer", "true"), LogInfo(msg=note)]


def camera_actions(context: LaunchContext) -> list[Action]:
    """Return the synthetic camera."""
    overrides = {
        name: ParameterValue(LaunchConfiguration(name))
        for name in OVERRIDES
        if LaunchConfiguration(name).perform(context)
    }
    path = LaunchConfiguration("camera_params_file").perform(context)
    camera = Node(
        package="smpler_ros",
        executable="synthetic_camera",
        name="synthetic_camera",
        namespace=LaunchConfiguration("namespace", default=""),
        parameters=[ParameterFile(existing_file("camera_params_file", path)), overrides],
        ros_arguments=["--log-level", LaunchConfiguration("log_level", default="info")],
        output="screen",
        sigterm_timeout=STOP_TIMEOUT_S,
    )
    return [camera]
