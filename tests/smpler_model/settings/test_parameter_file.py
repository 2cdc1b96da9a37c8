import re
from pathlib import Path

import pytest
import yaml

from smpler_model.settings.parameter_file import NODE_ONLY, read_parameter_file
from smpler_model.settings.run import RunSettings
from smpler_model.settings.setting import table_of

NAMES = [each.name for each in table_of(RunSettings) if each.name not in NODE_ONLY]


def read(path: Path, text: str) -> dict[str, object]:
    path.write_text(text)
    return read_parameter_file(path, NAMES)


def settings(path: Path, text: str) -> RunSettings:
    return RunSettings.from_values(read(path, text))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "parameters.yaml"


def test_plain_names_and_values_are_read(path: Path) -> None:
    assert read(path, "fov: 75\nmodel: a.pt\n") == {"fov": 75, "model": "a.pt"}


def test_known_parameters_of_a_node_s_file_are_read(path: Path) -> None:
    text = "/**:\n  ros__parameters:\n    fov: 80.0\n    tf_prefix: robot/\n"
    assert read(path, text) == {"fov": 80.0}


def test_node_only_parameters_are_ignored(path: Path) -> None:
    ros = {"use_sim_time": True, "qos_overrides./clock.depth": 2, "qos_overrides": {"a": 1}}
    given = dict.fromkeys(NODE_ONLY, "a") | ros | {"fov": 70.0}
    assert read(path, yaml.safe_dump({"/**": {"ros__parameters": given}})) == {"fov": 70.0}


def test_the_own_node_is_selected_among_several(path: Path) -> None:
    driver, shared = "driver: {ros__parameters: {exposure: 3}}", "ros__parameters: {fov: 70.0}"
    ours = "/robot: {smpler_node: {ros__parameters: {coast: true}}}"
    assert read(path, f"{driver}\n/**: {{{shared}}}\n{ours}\n") == {"fov": 70.0, "coast": True}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("fov: [", "must be a YAML file: while parsing"),
        ("just text", "must hold lines like 'fov: 75.0', got 'just text'"),
        ("[" * 3000, "must be a parameter file, got one nested too deeply"),
        ("a: &a {b: *a}", "must be a parameter file, got one nested too deeply"),
        ("colour: red", "parameters.yaml: there is no parameter 'colour'; docs/parameters.md"),
        ("detecter: motion", "there is no parameter 'detecter'; did you mean 'detector'?"),
        ("/**: {ros__parameters: {tf_prefx: a}}", "'tf_prefx'; did you mean 'tf_prefix'?"),
        (
            "a: {ros__parameters: {fov: 1.0}}\nb: {ros__parameters: {fov: 2.0}}",
            "must hold parameters of one smpler_node if it has several nodes, got a, b;",
        ),
        (
            "/left: {smpler_node: {ros__parameters: {fov: 70.0}}}\n"
            "/right: {smpler_node: {ros__parameters: {fov: 90.0}}}",
            "of one smpler_node if it has several nodes, got smpler_node, smpler_node;",
        ),
    ],
)
def test_invalid_parameter_files_are_refused(path: Path, content: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        read(path, content)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "fov"),
    [
        ("smpler_node: {ros__parameters: {fov: 70.0}}\n/**: {ros__parameters: {fov: 90.0}}", 70.0),
        ("/**: {ros__parameters: {fov: 90.0}}\nmy_node: {ros__parameters: {fov: 70.0}}", 70.0),
        ("/**: {ros__parameters: {fov: 90.0}}\nsmpler_node: {ros__parameters: }", 90.0),
    ],
)
def test_own_values_override_those_for_all_nodes(path: Path, text: str, fov: float) -> None:
    assert read(path, text) == {"fov": fov}


def test_whole_numbers_and_home_are_understood(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/anna")
    found = settings(path, "fov: 90\nmodel: ~/x.pt\nbody: ~/smpl\nmesh_frame: []\n")
    assert found == RunSettings(fov=90.0, model="/home/anna/x.pt", body="/home/anna/smpl")


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("1e-2", 0.01),
        ("1.5e3", 1500.0),
        ("-.5", -0.5),
        ("5.", 5.0),
        (".inf", float("inf")),
        ("010", 8),
        ("0x10", 16),
        ("-7", -7),
        ("yes", True),
        ("off", False),
        ("n", False),
        ("1:30", "1:30"),
        ("2026-11-28", "2026-11-28"),
        ("~", "~"),
        ("null", "null"),
        ("1_000", "1_000"),
        ("", None),
        ("'90'", "90"),
        ("[]", []),
    ],
)
def test_plain_scalars_are_resolved_as_in_ros(path: Path, words: str, value: object) -> None:
    """tests/ros/test_parameters.py compares with rcl itself."""
    found = read(path, f"model: {words}\n")["model"]
    assert (type(found), found) == (type(value), value)
