"""The launch files: as text always, loaded and visited if `launch_ros` is installed."""

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from smpler_model.settings.pipeline import PipelineSettings
from smpler_model.settings.setting import table_of
from smpler_ros.fast_dds import VARIABLE_OF_2, VARIABLE_OF_3
from smpler_ros.parameters.node_settings import NodeSettings
from smpler_ros.parameters.scene_settings import SceneSettings
from smpler_ros.parameters.viewer_settings import ViewerSettings
from tests.installed import install

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "launch").glob("*.launch.py"))
# The folder launch/ of this project would be taken for the package `launch`.
HAS_LAUNCH = importlib.util.find_spec("launch_ros") is not None
needs_launch = pytest.mark.skipif(not HAS_LAUNCH, reason="needs launch_ros: a ROS installation")


def strings_of(file: Path) -> set[str]:
    """Return every string constant of a file."""
    nodes = ast.walk(ast.parse(file.read_text()))
    return {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}


def arguments_of(file: Path) -> list[tuple[str, str]]:
    """Return names and descriptions in a launch file's table of arguments."""
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ARGUMENTS":
            assert isinstance(node.value, ast.Tuple)
            rows = [row.elts for row in node.value.elts if isinstance(row, ast.Tuple)]
            return [(ast.literal_eval(row[0]), ast.unparse(row[2])) for row in rows]
    return []


def keywords_of(file: Path, name: str) -> Iterator[str]:
    """Return the constant values of a keyword argument."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.keyword) and node.arg == name:
            for part in ast.walk(node.value):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value


def test_there_are_launch_files() -> None:
    names = {file.name.removesuffix(".launch.py") for file in FILES}
    assert names == {"bag", "camera", "demo", "fastdds"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_argument_is_explained_and_used(file: Path) -> None:
    text = file.read_text()
    for name, description in arguments_of(file):
        assert len(description) > 15, name
        assert text.count(f'"{name}"') > 1, name


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_started_programs_and_read_files_exist(file: Path) -> None:
    ours = {"camera_stand", "smpler_node", "synthetic_camera", "viewer"}
    assert set(keywords_of(file, "executable")) <= ours | {"rviz2"} | {""}
    for name in set(keywords_of(file, "executable")) & ours:
        module = ROOT / "smpler_ros" / name
        program = module / "__main__.py" if module.is_dir() else module.with_suffix(".py")
        assert "def main() -> int:" in program.read_text()
    for name in strings_of(file):
        if name.endswith((".yaml", ".rviz", ".xml")):
            assert (ROOT / "config" / name).is_file(), name
        if name.endswith(".launch.py"):
            assert (ROOT / "launch" / name).is_file(), name


def test_arguments_override_existing_parameters() -> None:
    def overrides(name: str) -> object:
        for node in ast.parse((ROOT / "launch" / name).read_text()).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "OVERRIDES":
                return node.value
        raise AssertionError(name)

    names = ast.literal_eval(overrides("camera.launch.py"))
    table = {parameter.name: parameter for parameter in table_of(NodeSettings)}
    assert all(isinstance(table[name].default, str) for name in names)
    names = ast.literal_eval(overrides("demo.launch.py"))
    assert {each.name for each in table_of(SceneSettings)} > set(names)


def test_the_help_lists_the_existing_detectors() -> None:
    described = dict(arguments_of(ROOT / "launch" / "camera.launch.py"))["detector"]
    choices = next(p.choices for p in table_of(NodeSettings) if p.name == "detector")
    assert [name for name in choices if name not in described] == []
    assert {p.name for p in table_of(PipelineSettings)} > {"model", "body", "detector", "device"}


def test_rviz_shows_topics_of_the_node() -> None:
    config = yaml.safe_load((ROOT / "config" / "smpler.rviz").read_text())
    displays = config["Visualization Manager"]["Displays"]
    topics = {d["Topic"]["Value"]: d["Class"] for d in displays if "Topic" in d}
    assert topics == {
        "overlay/compressed": "rviz_default_plugins/Image",
        "mesh_markers": "rviz_default_plugins/MarkerArray",
        "skeleton_markers": "rviz_default_plugins/MarkerArray",
    }
    assert all(d["Value"] == d["Enabled"] for d in displays)
    frame = next(p.default for p in table_of(SceneSettings) if p.name == "world_frame")
    assert config["Visualization Manager"]["Global Options"]["Fixed Frame"] == frame


def load(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(file.name.split(".")[0], file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@needs_launch
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_launch_files_load_and_declare_their_arguments(file: Path) -> None:
    description = load(file).generate_launch_description()
    declared = {argument.name for argument in description.get_launch_arguments()}
    assert declared >= {name for name, _ in arguments_of(file)}


@needs_launch
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ("smpler_node", "image_raw", "camera_info")),
        ({"image": "/a/image"}, ("smpler_node", "/a/image", "camera_info")),
        ({"driver": "usb_cam"}, ("usb_cam_node_exe", "image_raw", "camera_info")),
        (
            {"driver": "realsense2_camera", "driver_executable": "mine"},
            ("mine", "camera/color/image_raw", "camera/color/camera_info"),
        ),
        ({"driver": "other", "driver_executable": "one"}, ("one", "image_raw", "camera_info")),
    ],
)
def test_the_driver_determines_the_topics(
    given: dict[str, str], expected: tuple[str, ...]
) -> None:
    from launch import LaunchContext

    module, context = load(ROOT / "launch" / "camera.launch.py"), LaunchContext()
    values = {name: default or "" for name, default, _ in module.ARGUMENTS}
    values["params_file"] = str(ROOT / "config" / "camera.yaml")
    context.launch_configurations.update(values | {"driver": "none"} | given)
    started = module.camera_actions(context)
    remapped = {str(a[0].text): str(b[0].text) for a, b in started[-1]._Node__remappings}
    assert (started[0].node_executable, remapped["image"], remapped["camera_info"]) == expected


@needs_launch
@pytest.mark.parametrize("shown", [True, False])
def test_the_viewer_shows_the_camera_of_the_node(shown: bool) -> None:
    from launch import LaunchContext

    module, context = load(ROOT / "launch" / "camera.launch.py"), LaunchContext()
    values = {name: default or "" for name, default, _ in module.ARGUMENTS}
    values["params_file"] = str(ROOT / "config" / "camera.yaml")
    given = {"driver": "realsense2_camera", "viewer": str(shown).lower(), "viewer_port": "0"}
    context.launch_configurations.update(values | given)
    (viewer,) = module.viewer_actions(context)
    assert viewer.condition.evaluate(context) == shown
    remapped = {str(a[0].text): str(b[0].text) for a, b in viewer._Node__remappings}
    assert remapped == {
        "image": "camera/color/image_raw",
        "camera_info": "camera/color/camera_info",
    }
    assert {each.name for each in table_of(ViewerSettings)} > set(module.PAGE) - {"use_sim_time"}
    assert set(module.OF_THE_VIEWER) <= {each.name for each in table_of(ViewerSettings)}


@needs_launch
@pytest.mark.parametrize(
    ("argument", "in_file", "expected"),
    [("", "", "map"), ("", "odom", "odom"), ("world", "odom", "world")],
)
def test_rviz_and_the_camera_stand_use_the_fixed_frame_of_the_node(
    argument: str, in_file: str, expected: str, tmp_path: Path
) -> None:
    from launch import LaunchContext

    file = tmp_path / "mine.yaml"
    file.write_text(f"/**: {{ros__parameters: {{fixed_frame: '{in_file}', fov: 70.0}}}}")
    module, context = load(ROOT / "launch" / "camera.launch.py"), LaunchContext()
    values = {name: default or "" for name, default, _ in module.ARGUMENTS}
    given = {"fixed_frame": argument, "params_file": str(file), "driver": "none"}
    shown = {"rviz": "true", "place_camera": "true", "rviz_config": "a.rviz"}
    context.launch_configurations.update(values | given | shown)
    stand, rviz = module.world_actions(context)
    (told,) = stand._Node__parameters
    frame = next(v for k, v in told.items() if "".join(part.text for part in k) == "world_frame")
    assert frame.evaluate(context) == expected
    assert rviz._Node__arguments == ["--display-config", "a.rviz", "--fixed-frame", expected]
    (node,) = module.camera_actions(context)
    overrides = node._Node__parameters[-1]
    frames = [v for k, v in overrides.items() if "".join(p.text for p in k) == "fixed_frame"]
    assert [frame.evaluate(context) for frame in frames] == ([argument] if argument else [])
    assert all(action.condition.evaluate(context) for action in (stand, rviz))


@needs_launch
@pytest.mark.parametrize(
    ("given", "installed", "expected"),
    [
        ({"rviz": "auto"}, True, {"rviz": "true"}),
        ({"rviz": "auto"}, False, {"rviz": "false", "viewer": "true"}),
        ({"rviz": "auto", "viewer": "false"}, False, {"rviz": "false", "viewer": "false"}),
        ({"rviz": "false"}, True, {"rviz": "false"}),
        ({"rviz": "true"}, False, {"rviz": "true"}),  # camera.launch.py refuses it
    ],
)
def test_the_demo_shows_people_in_rviz_if_it_is_installed_and_else_in_a_browser(
    given: dict[str, str],
    installed: bool,
    expected: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from launch import LaunchContext

    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    if installed:
        install(tmp_path, "rviz2", "rviz2")
    module, context = load(ROOT / "launch" / "demo.launch.py"), LaunchContext()
    context.launch_configurations.update(given)
    for action in module.choose_view(context):
        action.visit(context)
    assert context.launch_configurations == expected


@needs_launch
def test_without_rviz_and_camera_stand_no_file_is_read_for_their_frame() -> None:
    from launch import LaunchContext

    module, context = load(ROOT / "launch" / "camera.launch.py"), LaunchContext()
    values = {name: default or "" for name, default, _ in module.ARGUMENTS}
    off = {"rviz": "false", "place_camera": "false", "params_file": "nofile.yaml"}
    context.launch_configurations.update(values | off)
    assert module.world_actions(context) == []


@needs_launch
def test_a_missing_parameter_file_is_refused() -> None:
    from launch import LaunchContext

    camera, context = load(ROOT / "launch" / "camera.launch.py"), LaunchContext()
    values = {name: default or "" for name, default, _ in camera.ARGUMENTS}
    context.launch_configurations.update(values | {"driver": "none", "params_file": "nofile.yaml"})
    with pytest.raises(ValueError, match="params_file must be a parameter file, got 'nofile"):
        camera.camera_actions(context)
    demo, context = load(ROOT / "launch" / "demo.launch.py"), LaunchContext()
    given = dict.fromkeys(("people", "rate", "seed"), "")
    context.launch_configurations.update(given | {"camera_params_file": "nofile.yaml"})
    with pytest.raises(ValueError, match="camera_params_file must be a parameter file, got 'nof"):
        demo.camera_actions(context)


@needs_launch
def test_an_unknown_driver_must_name_its_executable() -> None:
    module = load(ROOT / "launch" / "camera.launch.py")
    with pytest.raises(ValueError, match="got 'other'; name its executable"):
        module.find_driver("other", "")


@needs_launch
@pytest.mark.parametrize(
    ("distribution", "variable"),
    [
        ("humble", "FASTRTPS_DEFAULT_PROFILES_FILE"),
        ("jazzy", "FASTRTPS_DEFAULT_PROFILES_FILE"),
        ("kilted", "FASTDDS_DEFAULT_PROFILES_FILE"),
        (None, "FASTDDS_DEFAULT_PROFILES_FILE"),
    ],
)
def test_fast_dds_gets_its_profile_unless_the_user_has_one(
    distribution: str | None, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = load(ROOT / "launch" / "fastdds.launch.py")
    for name in (VARIABLE_OF_2, VARIABLE_OF_3, "ROS_DISTRO"):
        monkeypatch.delenv(name, raising=False)
    if distribution is not None:
        monkeypatch.setenv("ROS_DISTRO", distribution)
    (action,) = module.generate_launch_description().entities
    assert "".join(part.text for part in action.name) == variable
    monkeypatch.setenv("FASTDDS_DEFAULT_PROFILES_FILE", "/mine.xml")
    assert module.generate_launch_description().entities == []
