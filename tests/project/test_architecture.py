"""Import rules between packages and rooms."""

import ast
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROS_PREFIXES = ("ament", "cv_bridge", "launch", "message_filters", "rcl", "rosidl", "ros2", "tf2")
# The rooms of smpler_ros that run nodes, and their entry points; everything else needs no ROS.
NODE_ROOMS = (
    *("camera.camera_stand", "camera.scene_topics", "camera.synthetic_camera", "demo", "inputs"),
    *("node", "outputs", "parameters.ros_parameters", "viewer.viewer_node"),
    *("camera_stand", "smpler_node", "synthetic_camera"),
)
# Modules that every room may import: array types, frames and results, sources, files, libraries.
WORDS = {
    *("smpler_model.array_types", "smpler_model.frames", "smpler_model.source"),
    *("smpler_model.atomic_files", "smpler_model.hashes", "smpler_model.native_paths"),
    *("smpler_model.library_messages", "smpler_model.notices"),
}
# The rooms that each room of smpler_model may import, besides those that these may import.
ROOMS = {
    "settings": set(),
    "body": set(),
    "network": {"body"},
    "checkpoints": {"network"},
    "inference": {"checkpoints"},
    "cameras": set(),
    "people": {"cameras", "detectors", "body"},
    "bags": {"body", "cameras", "settings"},
    "detectors": {"cameras", "inference"},
    "drawing": {"cameras", "people"},
    "machine": set(),
    "views": {"people"},
    "viewing": {"bags", "body", "cameras", "drawing", "people", "settings"},
}
# The room above the pipeline, which may import all others.
COMMANDS = "commands"
# The rooms of smpler_model that synthetic may import, and the one module of another.
SYNTHETIC_ROOMS = {"body", "cameras", "drawing"}
SYNTHETIC_EXCEPTIONS = {"synthetic.check_crops": {"smpler_model.inference.check_crops"}}
# The names of scene options, which settings of nodes may import; it imports nothing itself.
SCENE_KINDS = "synthetic.scene_kinds"
# The rooms that each room of smpler_ros may import.
ROS_ROOMS = {
    "messages": set(),
    "parameters": {"messages"},
    "bags": {"messages", "parameters"},
    "inputs": {"messages"},
    "outputs": {"inputs", "messages"},
    "node": {"inputs", "messages", "outputs", "parameters"},
    "camera": {"bags", "inputs", "messages", "node", "outputs", "parameters"},
    "viewer": {"inputs", "messages", "node", "parameters"},
    "demo": {"bags", "camera", "inputs", "messages", "parameters"},
}


def room_of(module: str) -> str:
    """Return the room of a module: `cameras` of `smpler_model.cameras.depth`; empty at the top."""
    parts = module.split(".")
    return parts[1] if len(parts) > 2 else ""


def rooms_below(room: str) -> set[str]:
    """Return the rooms that a room of smpler_model may import, including itself."""
    return {room}.union(*map(rooms_below, ROOMS[room]))


def runs_nodes(module: str) -> bool:
    """Return whether a module of smpler_ros may import ROS."""
    name = module.removeprefix("smpler_ros.")
    return any(name == room or name.startswith(f"{room}.") for room in NODE_ROOMS)


def is_ros(module: str) -> bool:
    """Return whether a module belongs to ROS. `rosbags` is pure Python and does not."""
    top = module.split(".")[0]
    return top.endswith(("_msgs", "_interfaces")) or top.startswith(ROS_PREFIXES)


def modules_of(package: str) -> dict[str, Path]:
    """Return the modules of a package by name."""
    files = sorted((ROOT / package).rglob("*.py"))
    return {".".join(file.relative_to(ROOT).with_suffix("").parts): file for file in files}


def imports_of(file: Path) -> set[str]:
    """Return every module that a file imports, including those within functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            found.add(node.module or "")
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


@cache
def imported_packages(package: str) -> dict[str, set[str]]:
    """Return, for every module of a package, the modules that it imports."""
    return {name: imports_of(file) for name, file in modules_of(package).items()}


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("smpler_model", {"smpler_ros", "synthetic", "training", "benchmarks", "tests"}),
        ("synthetic", {"smpler_ros", "training", "benchmarks", "tests"}),
        ("training", {"smpler_ros", "benchmarks", "tests"}),
        ("smpler_ros", {"training", "benchmarks", "tests"}),
    ],
)
def test_packages_import_only_lower_ones(package: str, forbidden: set[str]) -> None:
    for name, imported in imported_packages(package).items():
        assert not forbidden & {module.split(".")[0] for module in imported}, name


def rooms_on_disk(package: str) -> set[str]:
    """Return the folders of a package that hold modules."""
    return {room_of(module) for module in modules_of(package)} - {""}


def test_every_room_has_a_rule() -> None:
    assert rooms_on_disk("smpler_model") == ROOMS.keys() | {COMMANDS}
    assert rooms_on_disk("smpler_ros") == ROS_ROOMS.keys()


@pytest.mark.parametrize("rooms", [ROOMS, ROS_ROOMS], ids=["smpler_model", "smpler_ros"])
def test_rooms_import_one_another_in_one_direction(rooms: dict[str, set[str]]) -> None:
    TopologicalSorter(rooms).prepare()


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_of_the_model_import_downwards_only(room: str) -> None:
    graph = imported_packages("smpler_model")
    allowed = tuple(f"smpler_model.{name}." for name in rooms_below(room))
    for name, imported in graph.items():
        if room_of(name) == room:
            above = {
                module for module in imported & graph.keys() if not module.startswith(allowed)
            }
            assert above <= WORDS, name


@pytest.mark.parametrize("room", ROS_ROOMS)
def test_rooms_of_the_node_import_downwards_only(room: str) -> None:
    graph = imported_packages("smpler_ros")
    for name, imported in graph.items():
        if room_of(name) == room:
            rooms = {room_of(module) for module in imported & graph.keys()} - {room, ""}
            assert rooms <= ROS_ROOMS[room], name


def test_synthetic_imports_few_rooms_of_the_model() -> None:
    modules = modules_of("smpler_model")
    for name, imported in imported_packages("synthetic").items():
        allowed = WORDS | SYNTHETIC_EXCEPTIONS.get(name, set())
        for module in imported & modules.keys() - allowed:
            assert room_of(module) in SYNTHETIC_ROOMS, f"{name} imports {module}"


def test_only_allowed_modules_import_synthetic() -> None:
    for name, imported in imported_packages("smpler_ros").items():
        if room_of(name) not in ("camera", "bags"):
            found = {module for module in imported if module.startswith("synthetic")}
            assert not {each for each in found if not each.startswith(SCENE_KINDS)}, name


@pytest.mark.parametrize("package", ["smpler_model", "synthetic", "training"])
def test_packages_below_the_nodes_import_no_ros(package: str) -> None:
    for name, imported in imported_packages(package).items():
        assert not [module for module in imported if is_ros(module)], name


def test_only_nodes_import_ros() -> None:
    for name, imported in imported_packages("smpler_ros").items():
        if not runs_nodes(name):
            assert not [module for module in imported if is_ros(module)], name


@pytest.mark.parametrize("package", ["smpler_model", "smpler_ros", "synthetic", "training"])
def test_modules_import_downwards_only(package: str) -> None:
    graph = imported_packages(package)
    TopologicalSorter(
        {name: imported & graph.keys() for name, imported in graph.items()}
    ).prepare()


@pytest.mark.slow
def test_model_imports_without_ros() -> None:
    modules = [name.removesuffix(".__init__") for name in modules_of("smpler_model")]
    modules = [name for name in modules if not name.endswith("__main__")]
    code = f"""
import importlib, sys

class NoRos:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0].startswith(("rclpy", "sensor_msgs", "smpler_msgs", "cv_bridge")):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NoRos())
for module in {modules!r}:
    importlib.import_module(module)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
