"""Start the synthetic camera, the node and RViz: no camera and no downloads are needed.

Also takes the arguments of camera.launch.py. Example:
    ros2 launch smpler_ros demo.launch.py people:=2 rviz:=false
"""

from launch.action import Action
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterFile, ParameterValue
from launch_ros.substitutions import FindPackageShare

from launch import LaunchContext, LaunchDescription
from smpler_ros.parameters.launch_arguments import check_arguments, existing_file

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
    ("rviz", "true", "Whether to start RViz."),
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
    profile = PathJoinSubstitution([SHARE, "launch", "fastdds.launch.py"])
    return LaunchDescription(
        [
            *declared,
            OpaqueFunction(function=refuse_unknown_arguments),
            IncludeLaunchDescription(PythonLaunchDescriptionSource(profile)),
            OpaqueFunction(function=camera_actions),
            node,
        ]
    )


def refuse_unknown_arguments(context: LaunchContext) -> None:
    """Refuse undeclared arguments, which launch itself would ignore."""
    declared = generate_launch_description().get_launch_arguments()
    check_arguments(__file__, context.argv, [argument.name for argument in declared])


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
