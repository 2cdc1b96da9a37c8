"""Flags of the command line for parameters, and YAML files of them."""

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from smpler_model.parameters import PARAMETERS, Parameter, Value, check_values

_PREFIX = "parameter:"
_ROS_KEY = "ros__parameters"


def add_flags(
    parser: argparse.ArgumentParser, parameters: Iterable[Parameter] = PARAMETERS
) -> None:
    """Add a flag for every parameter, and `--params` for a file of them."""
    group = parser.add_argument_group("parameters")
    group.add_argument(
        "--params",
        type=Path,
        metavar="FILE",
        help="YAML of parameters, also a node's; flags go before it",
    )
    for parameter in parameters:
        _add_flag(group, parameter)


def read_values(
    chosen: argparse.Namespace, parameters: Iterable[Parameter] = PARAMETERS
) -> dict[str, Value]:
    """Return all parameters' values: of the flags, else of the file, else the defaults.

    Raises:
        ValueError: a file that is no YAML of parameters, or a value that is refused.
        OSError: a file that cannot be read.
    """
    table = tuple(parameters)
    values = read_parameter_file(chosen.params, table) if chosen.params else {}
    flags = {
        name.removeprefix(_PREFIX): value
        for name, value in vars(chosen).items()
        if name.startswith(_PREFIX) and value is not None
    }
    return check_values(values | flags, table)


def read_parameter_file(
    path: Path, parameters: Iterable[Parameter] = PARAMETERS
) -> dict[str, object]:
    """Read a YAML file: names and values, or a ROS one, of which the known names are taken.

    Raises:
        ValueError: the file is no YAML, or of another form.
        OSError: it cannot be read.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} must be a YAML file, got another one ({_brief(error)})"
        ) from None
    if not isinstance(content, Mapping):
        raise ValueError(f"{path} must hold lines like 'fov: 75.0', got {content!r}; correct it")
    node = next(
        (value[_ROS_KEY] for value in content.values() if _has_parameters(value)),
        None,
    )
    if node is None:
        return dict(content)
    known = {parameter.name for parameter in parameters}
    return {name: value for name, value in node.items() if name in known}


def _add_flag(group: argparse._ArgumentGroup, parameter: Parameter) -> None:
    default = parameter.default
    shown = {"True": "yes", "False": "no", "": "empty"}.get(str(default), default)
    unit = f" {parameter.unit}" if parameter.unit else ""
    text = f"{parameter.description} Default: {shown}{unit}.".replace("%", "%%")
    options: dict[str, Any] = {"dest": _PREFIX + parameter.name, "help": text}
    if isinstance(default, bool):
        options["action"] = argparse.BooleanOptionalAction
    elif isinstance(default, tuple):
        options |= {"nargs": "*", "metavar": "NAME"}
    elif parameter.choices:
        options["choices"] = parameter.choices
    else:
        kind = type(default)
        options |= {"type": kind, "metavar": {int: "N", float: "X"}.get(kind, "TEXT")}
    group.add_argument("--" + parameter.name.replace("_", "-"), **options)


def _has_parameters(value: object) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get(_ROS_KEY), Mapping)


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())
