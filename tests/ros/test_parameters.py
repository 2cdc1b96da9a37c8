"""Parameters over real ROS: the same results as for a parameter file read without it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import rclpy
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterType, ParameterValue
from rclpy.lifecycle import LifecycleNode
from rclpy.parameter import Parameter

from smpler_model.settings.parameter_file import read_parameter_file
from smpler_model.settings.setting import table_of
from smpler_ros.parameters.node_settings import NodeSettings
from smpler_ros.parameters.ros_parameters import RosParameters

ROOT = Path(__file__).parents[2]
MODULES = "modules: "
ENDING = f"""
import importlib, os, sys
program = importlib.import_module("smpler_ros." + sys.argv.pop(1))
end = os._exit
def say_and_end(status):
    print({MODULES!r}, *sys.modules, flush=True)
    end(status)
os._exit = say_and_end
program.main()
"""
NAMES = [each.name for each in table_of(NodeSettings)]


class Started:
    """A node with the parameters of `smpler_node`, from a file or from `-p`."""

    def __init__(self, domain: int, *arguments: str) -> None:
        self.context = rclpy.Context()
        given = ["--ros-args", *arguments] if arguments else []
        rclpy.init(args=given, context=self.context, domain_id=domain)
        self.changes: list[NodeSettings] = []
        self.is_configured = False
        try:
            self.node = LifecycleNode("smpler_node", context=self.context)
            self.parameters = RosParameters(
                self.node, NodeSettings, lambda: self.is_configured, self.changes.append
            )
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Destroy the node."""
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)

    def set(self, name: str, value: object) -> str:
        """Set a parameter; return the reason of a refusal, or nothing."""
        (result,) = self.node.set_parameters([Parameter(name, value=value)])
        assert result.successful == (not result.reason)
        return str(result.reason)


def start_with(domain: int, path: Path, lines: str) -> NodeSettings:
    """Return the settings of a node that was started with a file."""
    path.write_text("/**:\n  ros__parameters:\n    " + lines.replace("\n", "\n    ") + "\n")
    started = Started(domain, "--params-file", str(path))
    started.close()
    return started.parameters.settings


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "node.yaml"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("fov: 90", NodeSettings(fov=90.0)),
        ("person_labels: []", NodeSettings(person_labels=())),
        ("cameras: []", NodeSettings(cameras=())),
        ("cameras: [front, rear]", NodeSettings(cameras=("front", "rear"))),
        ("model: ~/x.pt", NodeSettings(model="/home/anna/x.pt")),
        ("pairing_tolerance: 1e-2\ncoast: yes", NodeSettings(pairing_tolerance=0.01, coast=True)),
        ("threads: 0x10\ntf_prefix: 2026-11-28", NodeSettings(threads=16, tf_prefix="2026-11-28")),
        ("use_sim_time: true\nqos_overrides./clock.subscription.depth: 3", NodeSettings()),
    ],
)
def test_a_file_gives_equal_settings_with_and_without_ros(
    ros_domain: int,
    path: Path,
    lines: str,
    expected: NodeSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/anna")
    assert start_with(ros_domain, path, lines) == expected
    assert NodeSettings.from_values(read_parameter_file(path, NAMES)) == expected


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("detecter: motion", "there is no parameter 'detecter'; did you mean 'detector'?"),
        ("colour: red", "there is no parameter 'colour'; docs/parameters.md lists all"),
        ("use_sim_tim: true", "there is no parameter 'use_sim_tim'; did you mean 'use_sim_time'?"),
        ("fov: []", "fov must be a number, got []"),
        ("fov: 200", "fov must lie between 1 and 179 degrees, got 200.0"),
        ("max_people: 2.0", "max_people must be a whole number, got 2.0"),
        ("coast: 1", "coast must be true or false, got 1"),
        ("device: 0", "device must be text, got 0; put it in quotes"),
        ("person_labels: [0]", "person_labels must be a list of texts, got 0; put it in quotes"),
        ("person_labels: person", "person_labels must be a list of texts, got 'person'; write"),
        ("detector: yolo", "detector must be one of person, torchvision, onnx"),
    ],
)
def test_a_file_is_refused_equally_with_and_without_ros(
    ros_domain: int, path: Path, lines: str, reason: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)) as live:
        start_with(ros_domain, path, lines)
    with pytest.raises(ValueError, match=re.escape(reason)) as offline:
        NodeSettings.from_values(read_parameter_file(path, NAMES))
    assert str(offline.value).removeprefix(f"{path}: ") == str(live.value)


def test_scalars_are_resolved_like_rcl_does(ros_domain: int, path: Path) -> None:
    """This project's parser is compared with rcl's own."""
    words = ["1e-2", "1.5e3", "-.5", "5.", ".inf", "010", "0x10", "-7", "yes", "off", "n", "1:30"]
    words += ["2026-11-28", "~", "null", "1_000", "'90'", "08", "+3", "Yes", "TRUE", ".5", "1e3"]
    names = [f"w{index}" for index in range(len(words))]
    lines = [f"    {name}: {word}" for name, word in zip(names, words, strict=True)]
    path.write_text("\n".join(["/**:", "  ros__parameters:", *lines, ""]))
    context = rclpy.Context()
    rclpy.init(args=["--ros-args", "--params-file", str(path)], context=context)
    node = LifecycleNode(
        "any", context=context, automatically_declare_parameters_from_overrides=True
    )
    by_rcl = [node.get_parameter(name).value for name in names]
    node.destroy_node()
    rclpy.shutdown(context=context)
    ours = list(read_parameter_file(path, names).values())
    assert [(w, type(v), v) for w, v in zip(words, ours, strict=True)] == [
        (w, type(v), v) for w, v in zip(words, by_rcl, strict=True)
    ]


def test_parameters_are_validated_like_settings(ros_domain: int) -> None:
    started = Started(ros_domain)
    try:
        started.is_configured = True
        assert started.set("fov", 90) == ""
        assert started.changes == [NodeSettings(fov=90.0)]
        assert started.set("fov", 91.5) == ""
        assert started.set("fov", "wide") == "fov must be a number, got 'wide'"
        assert started.set("fov", 400) == "fov must lie between 1 and 179 degrees, got 400.0"
        assert "read when the node is configured" in started.set("person_labels", ["a"])
        assert started.parameters.settings == NodeSettings(fov=91.5)
        started.is_configured = False
        assert started.set("person_labels", ["a"]) == ""
        assert started.set("person_labels", []) == ""
        assert started.parameters.settings == NodeSettings(fov=91.5, person_labels=())
        # Values sent by `ros2 param delete` and by an empty list of another type.
        unset = ParameterMessage(name="fov", value=ParameterValue())
        empty = ParameterMessage(
            name="cameras", value=ParameterValue(type=ParameterType.PARAMETER_BOOL_ARRAY)
        )
        for message, works in ((unset, False), (empty, True)):
            (result,) = started.node.set_parameters([Parameter.from_parameter_msg(message)])
            assert result.successful is works, message.name
        assert started.parameters.settings == NodeSettings(fov=91.5, person_labels=(), cameras=())
    finally:
        started.close()


def test_descriptors_equal_the_settings(ros_domain: int) -> None:
    started = Started(ros_domain)
    described = {name: started.node.describe_parameter(name) for name in NAMES}
    types = {name: started.node.get_parameter(name).type_ for name in NAMES}
    started.close()
    fov, people = described["fov"], described["max_people"]
    assert fov.description.endswith("without calibration. Unit: degrees. Can change at runtime.")
    assert (fov.floating_point_range[0].from_value, people.integer_range[0].to_value) == (1, 256)
    assert described["detector"].additional_constraints.endswith("full_image, topic")
    assert types["fov"] == Parameter.Type.DOUBLE
    assert types["cameras"] == Parameter.Type.STRING_ARRAY


@pytest.mark.parametrize(
    ("program", "arguments", "sentence"),
    [
        ("smpler_node", ["-p", "detecter:=motion"], "did you mean 'detector'?"),
        ("synthetic_camera", ["-p", "poeple:=1"], "did you mean 'people'?"),
        ("smpler_node", ["-p", "detector:=foo"], "detector must be one of person, torchvision"),
        ("smpler_node", ["-p", "threads:=x"], "threads must be a whole number, got 'x'\n"),
        ("synthetic_camera", ["-p", "people:=x"], "people must be a whole number, got 'x'\n"),
        ("smpler_node", ["-p", "threads:="], "-p must be followed by name:=value"),
        ("smpler_node", ["-r", "image:="], "-r must be followed by name:=new_name"),
        ("smpler_node", ["--log-level", "loud"], "--log-level must be debug, info, warn"),
        ("smpler_node", ["--bogus"], "must be ROS arguments, got '--bogus'; give"),
        ("smpler_node", ["--params-file", "nofile.yaml"], "got 'nofile.yaml', where there is no"),
        (
            "synthetic_camera",
            ["--params-file", "broken.yaml"],
            "'broken.yaml' must be a parameter file like config/camera.yaml, got one that "
            "ROS cannot read (Cannot have a value before ros__parameters at line 1)\n",
        ),
    ],
)
def test_unknown_arguments_of_a_node_are_refused(
    ros_domain: int, tmp_path: Path, program: str, arguments: list[str], sentence: str
) -> None:
    (tmp_path / "broken.yaml").write_text("fov: 3\n")
    status, output, modules = start_and_end(program, "--ros-args", *arguments, folder=tmp_path)
    assert (status, output.count("the node cannot start: ")) == (1, 1)
    assert sentence in output
    assert "Traceback" not in output
    assert "torch" not in modules  # which takes seconds to import
    assert "rclpy" in modules


@pytest.mark.parametrize("domain", ["abc", "-3", "233", "1.5"])
def test_an_invalid_domain_is_refused(monkeypatch: pytest.MonkeyPatch, domain: str) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", domain)
    status, output, _ = start_and_end("smpler_node", folder=ROOT)
    assert status == 1
    assert f"ROS_DOMAIN_ID must be a whole number between 0 and 232, got '{domain}'" in output


def start_and_end(program: str, *arguments: str, folder: Path) -> tuple[int, str, set[str]]:
    """Run a node's process until it exits; return status, output, and imported modules."""
    done = subprocess.run(
        [sys.executable, "-c", ENDING, program, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
    )
    output, _, modules = (done.stderr + done.stdout).partition(MODULES)
    return done.returncode, output, set(modules.split())
