"""Play a bag and start the node on the bag's time. `evaluate_bag` reads a bag without playing it.

Also takes the arguments of camera.launch.py. Example:
    ros2 launch smpler_ros bag.launch.py bag:=walk image:=/camera/image_raw \
        image_transport:=compressed camera_info:=/camera/camera_info
"""

from launch.action import Action
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    IncludeLaunchDescription,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.conditions import IfCondition
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare

from launch import LaunchContext, LaunchDescription
from smpler_ros.parameters.launch_arguments import (
    check_arguments,
    check_values,
    playable_bag,
)

SHARE = FindPackageShare("smpler_ros")
CLOCK_HZ = "100"
ARGUMENTS = (
    ("bag", None, "Path of the bag."),
    ("bag_rate", "1.0", "Playback speed relative to the recording."),
    ("bag_start", "0.0", "Seconds to skip at the start of the bag."),
    ("bag_loop", "false", "Whether to play the bag in a loop."),
    ("bag_delay", "5.0", "Seconds to wait before playing, while the network is loaded."),
    ("stop_at_end", "true", "Whether everything stops at the end of the bag."),
)
KINDS = {
    "bag_rate": float,
    "bag_start": float,
    "bag_loop": bool,
    "bag_delay": float,
    "stop_at_end": bool,
}


def generate_launch_description() -> LaunchDescription:
    """Return the arguments and the actions."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, default, description in ARGUMENTS
    ]
    node = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(PathJoinSubstitution([SHARE, "launch", "camera.launch.py"])),
        launch_arguments={"use_sim_time": "true"}.items(),
    )
    check = OpaqueFunction(function=refuse_invalid_arguments)
    return LaunchDescription([*declared, check, node, OpaqueFunction(function=bag_actions)])


def refuse_invalid_arguments(context: LaunchContext) -> None:
    """Refuse what `launch` would ignore, or would meet only after it has started something."""
    declared = generate_launch_description().get_launch_arguments()
    check_arguments(__file__, context.argv, [argument.name for argument in declared])
    given = values_of(context)
    check_values(given, KINDS)
    playable_bag(given["bag"])


def bag_actions(context: LaunchContext) -> list[Action]:
    """Return the player, and the action at its end."""
    given = values_of(context)
    player = ExecuteProcess(
        cmd=[
            *("ros2", "bag", "play", playable_bag(given["bag"]), "--clock", CLOCK_HZ),
            *("--rate", given["bag_rate"], "--start-offset", given["bag_start"]),
            *("--delay", given["bag_delay"]),
            *(["--loop"] if given["bag_loop"].lower() in ("true", "1") else []),
        ],
        output="screen",
    )
    stop = EmitEvent(
        event=Shutdown(reason="the bag is over"),
        condition=IfCondition(LaunchConfiguration("stop_at_end")),
    )
    return [
        player,
        RegisterEventHandler(OnProcessExit(target_action=player, on_exit=[stop])),
    ]


def values_of(context: LaunchContext) -> dict[str, str]:
    """Return the values of this file's arguments."""
    return {name: LaunchConfiguration(name).perform(context) for name, _, _ in ARGUMENTS}
