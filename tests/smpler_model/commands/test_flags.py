import argparse
from pathlib import Path

import pytest
import yaml

from smpler_model.commands.flags import add_flags, read_given, read_values
from smpler_model.parameters import PARAMETERS, Parameter, default_values
from smpler_model.ros_parameters import BAG_PARAMETERS, ROS_PARAMETERS


def values_of(*arguments: str, table: tuple[Parameter, ...] = PARAMETERS) -> dict[str, object]:
    parser = argparse.ArgumentParser()
    add_flags(parser, table)
    return dict(read_values(parser.parse_args(arguments), table))


def test_without_flags_the_defaults_hold() -> None:
    assert values_of() == default_values()


def test_every_parameter_has_a_flag_of_its_type() -> None:
    for parameter in PARAMETERS:
        flag, default = "--" + parameter.name.replace("_", "-"), parameter.default
        if isinstance(default, bool):
            assert values_of(flag)[parameter.name] is True
            assert values_of(flag.replace("--", "--no-", 1))[parameter.name] is False
            continue
        text = parameter.choices[-1] if parameter.choices else str(default or "7")
        value = values_of(flag, text)[parameter.name]
        assert type(value) is type(default)
        assert str(value) == text


def test_help_shows_numbers_as_numbers() -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser, PARAMETERS)
    text = " ".join(parser.format_help().split())
    assert "0 leaves it to PyTorch. Default: 0." in text
    assert "is gone. Default: 1.0 s." in text


def test_lists_of_names() -> None:
    table = (Parameter("cameras", (), "Namespaces."),)
    assert values_of("--cameras", "left", "right", table=table) == {"cameras": ("left", "right")}


def test_flags_go_before_the_file(tmp_path: Path) -> None:
    path = tmp_path / "parameters.yaml"
    path.write_text("fov: 75\ncoast: true\nmax_people: 3\n")
    values = values_of("--params", str(path), "--max-people", "5")
    assert (values["fov"], values["coast"], values["max_people"]) == (75.0, True, 5)


def test_a_node_s_file_gives_what_is_known(tmp_path: Path) -> None:
    path = tmp_path / "node.yaml"
    path.write_text("/**:\n  ros__parameters:\n    fov: 80.0\n    tf_prefix: robot/\n")
    assert values_of("--params", str(path)) == default_values() | {"fov": 80.0}


def test_what_is_for_live_topics_or_any_node_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "node.yaml"
    given = {parameter.name: parameter.default for parameter in ROS_PARAMETERS}
    given |= {"use_sim_time": True, "qos_overrides./clock.depth": 2, "fov": 80.0}
    values = {name: list(v) if isinstance(v, tuple) else v for name, v in given.items()}
    path.write_text(yaml.safe_dump({"/**": {"ros__parameters": values}}))
    assert values_of("--params", str(path)) == default_values() | {"fov": 80.0}


def test_of_several_nodes_ours_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "nodes.yaml"
    driver, shared = "driver: {ros__parameters: {exposure: 3}}", "ros__parameters: {fov: 70.0}"
    ours = "/robot: {smpler_node: {ros__parameters: {coast: true}}}"
    path.write_text(f"{driver}\n/**: {{{shared}}}\n{ours}\n")
    values = values_of("--params", str(path))
    assert values == default_values() | {"fov": 70.0, "coast": True}


def test_only_what_is_said_is_given(tmp_path: Path) -> None:
    path = tmp_path / "node.yaml"
    path.write_text("/**:\n  ros__parameters:\n    rectified: true\n    use_depth: true\n")
    parser = argparse.ArgumentParser()
    add_flags(parser, (*PARAMETERS, *BAG_PARAMETERS))
    chosen = parser.parse_args(["--params", str(path), "--no-use-depth"])
    given = read_given(chosen, (*PARAMETERS, *BAG_PARAMETERS))
    assert given == {"rectified": True, "use_depth": False}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("fov: [", "must be a YAML file"),
        ("just text", "must hold lines like"),
        ("colour: red", "parameters.yaml: parameters are model, .*, got 'colour'; check"),
        ("fovv: 70.0", "got 'fovv'; write 'fov' if that is meant"),
        ("/**: {ros__parameters: {tf_prefx: a}}", "got 'tf_prefx'; write 'tf_prefix' if"),
        (
            "a: {ros__parameters: {fov: 1.0}}\nb: {ros__parameters: {fov: 2.0}}",
            "must hold parameters of one smpler_node if it is of several nodes, got a, b;",
        ),
        ("fov: wide", "fov must be of type float"),
        ("fov: .nan", "fov must lie between"),
    ],
)
def test_files_that_do_not_fit(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "parameters.yaml"
    path.write_text(content)
    with pytest.raises(ValueError, match=words):
        values_of("--params", str(path))


def test_help_says_unit_and_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        values_of("--help")
    text = " ".join(capsys.readouterr().out.split())
    assert "without calibration. Default: 60.0 degrees." in text
    assert "--no-smoothing" in text


@pytest.mark.parametrize(
    ("text", "fov"),
    [
        ("smpler_node: {ros__parameters: {fov: 70.0}}\n/**: {ros__parameters: {fov: 90.0}}", 70.0),
        ("/**: {ros__parameters: {fov: 90.0}}\nmy_node: {ros__parameters: {fov: 70.0}}", 70.0),
        ("/**: {ros__parameters: {fov: 90.0}}\nsmpler_node: {ros__parameters: }", 90.0),
    ],
)
def test_what_is_said_of_our_node_goes_before_what_is_said_of_all(
    tmp_path: Path, text: str, fov: float
) -> None:
    path = tmp_path / "nodes.yaml"
    path.write_text(text)
    assert values_of("--params", str(path))["fov"] == fov


def test_two_of_our_nodes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "nodes.yaml"
    path.write_text(
        "/left: {smpler_node: {ros__parameters: {fov: 70.0}}}\n"
        "/right: {smpler_node: {ros__parameters: {fov: 90.0}}}"
    )
    with pytest.raises(ValueError, match=r"of one smpler_node .* got smpler_node, smpler_node;"):
        values_of("--params", str(path))
