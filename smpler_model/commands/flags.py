"""Flags of the command line for parameters, and YAML files of them."""

import argparse
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from smpler_model.parameters import PARAMETERS, Parameter, Value, check_names
from smpler_model.ros_parameters import ANY_NODES, ROS_PARAMETERS

_PREFIX = "parameter:"
_ROS_KEY = "ros__parameters"
_NODE, _EVERY_NODE = "smpler_node", ("**", "*")  # what a file with several nodes calls ours


def at_least(least: float) -> Callable[[str], float]:
    """Return what reads a finite number of a flag, of the kind of its least value.

    Args:
        least: value allowed; an int for whole numbers.
    """
    kind = type(least)

    def read(text: str) -> float:
        try:
            number = kind(text)
        except ValueError:
            number = math.nan
        if not least <= number < math.inf:
            what = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"must be {what} from {least} on, got {text!r}")
        return number

    return read


def add_flags(
    parser: argparse.ArgumentParser, parameters: Iterable[Parameter] = PARAMETERS
) -> None:
    """Add a flag for every parameter, and `--params` for a file of them."""
    group = parser.add_argument_group("parameters")
    group.add_argument(
        "--params",
        type=Path,
        metavar="FILE",
        help="YAML of parameters, also a node's, of which those for live topics do nothing here; "
        "flags go before it",
    )
    for parameter in parameters:
        add_flag(group, parameter)


def add_flag(group: argparse._ArgumentGroup, parameter: Parameter, usual: str = "") -> None:
    """Add the flag of a parameter.

    Args:
        group: to add it to.
        parameter: of the flag.
        usual: what holds where nobody says anything; if empty, the parameter's default.
    """
    default = parameter.default
    shown = {"True": "yes", "False": "no", "": "empty"}.get(str(default), default)
    unit = f" {parameter.unit}" if parameter.unit else ""
    text = f"{parameter.description} Default: {usual or f'{shown}{unit}'}.".replace("%", "%%")
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


def read_values(
    chosen: argparse.Namespace, parameters: Iterable[Parameter] = PARAMETERS
) -> dict[str, Value]:
    """Return all parameters' values: of the flags, else of the file, else the defaults.

    Raises:
        ValueError: a file that is no YAML of parameters, or a value that is refused.
        OSError: a file that cannot be read.
    """
    table = tuple(parameters)
    return fill_values(read_given(chosen, table), table)


def fill_values(
    given: Mapping[str, Value], parameters: Iterable[Parameter] = PARAMETERS
) -> dict[str, Value]:
    """Return all values of some parameters: those given, else the defaults."""
    return {each.name: given.get(each.name, each.default) for each in parameters}


def read_given(chosen: argparse.Namespace, parameters: Iterable[Parameter]) -> dict[str, Value]:
    """Return the values that flags or the file say; flags go before the file.

    Raises:
        ValueError: a file that is no YAML of parameters, or a value that is refused.
        OSError: a file that cannot be read.
    """
    table = {parameter.name: parameter for parameter in parameters}
    values = read_parameter_file(chosen.params, table) if chosen.params else {}
    flags = {
        name.removeprefix(_PREFIX): value
        for name, value in vars(chosen).items()
        if name.startswith(_PREFIX) and value is not None
    }
    return {name: table[name].check(value) for name, value in (values | flags).items()}


def read_parameter_file(path: Path, names: Collection[str]) -> dict[str, object]:
    """Read a YAML file of names and values, or a ROS one.

    Args:
        path: of the file.
        names: of the parameters that are wanted. What is for live topics alone is left out.

    Raises:
        ValueError: the file is no YAML, of another form, or holds a name that no parameter has.
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
    values = _values_of_node(path, content)
    live = [parameter.name for parameter in ROS_PARAMETERS if parameter.name not in names]
    try:
        check_names((name.partition(".")[0] for name in values), [*names, *live, *ANY_NODES])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return {name: value for name, value in values.items() if name in names}


def _values_of_node(path: Path, content: Mapping[object, object]) -> dict[str, object]:
    """Return what a file says of our node; all that it says where it is no ROS file.

    As for a node, what is said of all nodes comes first, whatever the order in the file.
    """
    nodes = list(_nodes_in(content))
    if not nodes:
        return {str(name): value for name, value in content.items()}
    named = [pair for pair in nodes if pair[0] not in _EVERY_NODE]
    ours = [pair for pair in named if pair[0] == _NODE] or named
    if len(ours) > 1:
        listed = ", ".join(name for name, _ in ours)
        raise ValueError(
            f"{path} must hold parameters of one {_NODE} if it is of several nodes, got {listed}; "
            "rename one, or leave the others out"
        )
    common = [values for name, values in nodes if name in _EVERY_NODE]
    found = [*common, *(values for _, values in ours)]
    return {str(name): value for values in found for name, value in values.items()}


def _nodes_in(
    content: Mapping[object, object],
) -> Iterator[tuple[str, Mapping[object, object]]]:
    """Give the nodes in a ROS file, with their parameters, in namespaces too."""
    for name, value in content.items():
        if not isinstance(value, Mapping):
            continue
        values = value.get(_ROS_KEY, value)
        if values is None or (_ROS_KEY in value and isinstance(values, Mapping)):
            yield str(name).rpartition("/")[2], values or {}
        else:
            yield from _nodes_in(value)


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())
