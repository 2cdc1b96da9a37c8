"""Checks the arguments of launch files before anything is started.

`launch` itself ignores unknown arguments, and an error that it meets after it has started programs
ends `launch` but not them.
"""

import math
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from smpler_model.settings.parameter_file import read_parameter_file
from smpler_model.settings.setting import did_you_mean, table_of
from smpler_ros.parameters.node_settings import NodeSettings

OF_EVERY_FILE = (
    *("emulate_tty", "launch-prefix", "launch-prefix-filter"),
    *("sigkill_timeout", "sigterm_timeout"),
)
"""Arguments that `launch` itself reads, declared or not."""

_PACKAGE = "smpler_ros"
_WORDED = {bool: "true or false", int: "a whole number", float: "a number"}


def check_arguments(file: str, given: Iterable[str], declared: Iterable[str]) -> None:
    """Refuse arguments of a command line that a launch file does not declare.

    Nothing is refused if the command line started another file that includes this one, because its
    declared arguments are not known here.

    Args:
        file: path of the launch file.
        given: arguments of the command line, such as `rate:=5`.
        declared: names of the declared arguments.

    Raises:
        ValueError: an argument that is not declared.
    """
    if not _is_started_by(sys.argv, Path(file)):
        return
    known = [*declared, *OF_EVERY_FILE]
    for name in (word.partition(":=")[0] for word in given):
        if name not in known:
            hint = did_you_mean(name, known) or "; --show-args lists all"
            raise ValueError(f"{Path(file).name} has no argument '{name}'{hint}")


def check_values(given: Mapping[str, str], kinds: Mapping[str, type]) -> None:
    """Refuse values that `launch` could not read as true or false, or as numbers.

    Args:
        given: values by the names of the arguments.
        kinds: types of the arguments to check: bool, int, float, or str, which every value is.

    Raises:
        ValueError: a value that is none of its argument's type.
    """
    for name, kind in kinds.items():
        if not _is_of_kind(given[name], kind):
            raise ValueError(f"{name} must be {_WORDED[kind]}, got '{given[name]}'")


def check_program(argument: str, package: str, executable: str, remedy: str) -> None:
    """Refuse an argument that starts a program which is not installed.

    Args:
        argument: the argument with its value, such as `rviz:=true`.
        package: package of the program.
        executable: name of the program.
        remedy: what else can be done than to install the package.

    Raises:
        ValueError: there is no such program; the message says what to do.
    """
    if has_program(package, executable):
        return
    lack = f"package {package}"
    if has_package(package):
        lack = f"program {executable} of the {lack}"
    debian = f"ros-$ROS_DISTRO-{package.replace('_', '-')}"
    raise ValueError(
        f"{argument} needs the {lack}, which is not installed; install it ({debian}), or {remedy}"
    )


def playable_bag(path: str) -> str:
    """Return the path of a bag that `ros2 bag` can be asked to play, with `~` expanded.

    Raises:
        ValueError: there is no such path, or no `ros2 bag`; the message says what to do.
    """
    found = Path(path).expanduser()
    if not found.exists():
        raise ValueError(f"bag must be the path of a bag, got '{found}', which does not exist")
    if shutil.which("ros2") is None or not has_package("ros2bag"):
        raise ValueError(
            "playing a bag needs `ros2 bag`, which is not installed; install it "
            f"(ros-$ROS_DISTRO-ros2bag), or read the bag without playing it: evaluate_bag {found}"
        )
    return str(found)


def has_program(package: str, executable: str) -> bool:
    """Return whether an installed ROS package has a program."""
    prefix = _prefix_of(package)
    if prefix is None:
        return False
    return shutil.which(executable, path=prefix / "lib" / package) is not None


def has_package(package: str) -> bool:
    """Return whether a ROS package is installed, in any of the sourced prefixes."""
    return _prefix_of(package) is not None


def existing_file(argument: str, path: str) -> str:
    """Return the path of a file, with `~` expanded; `launch` would start without the file.

    Raises:
        ValueError: there is no such file.
    """
    found = Path(path).expanduser()
    if not found.is_file():
        raise ValueError(
            f"{argument} must be a parameter file, got '{found}', which does not exist"
        )
    return str(found)


def fixed_frame_in(params_file: str) -> str:
    """Return the node's parameter `fixed_frame` in a parameter file; empty if it has none.

    Raises:
        ValueError: the file is not one of the node's parameters; the message says why.
    """
    names = [parameter.name for parameter in table_of(NodeSettings)]
    values = read_parameter_file(Path(existing_file("params_file", params_file)), names)
    return str(values.get("fixed_frame", ""))


def _is_of_kind(text: str, kind: type) -> bool:
    if kind is bool:
        return text in ("true", "True", "false", "False")  # as YAML, which parameters are read as
    try:
        return kind is str or math.isfinite(kind(text))
    except ValueError:
        return False


def _prefix_of(package: str) -> Path | None:
    """Return the first prefix whose ament index lists a package; `launch_ros` takes the same."""
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    entry = Path("share/ament_index/resource_index/packages") / package
    return next(
        (each for each in map(Path, filter(None, prefixes)) if (each / entry).is_file()), None
    )


def _is_started_by(command: Iterable[str], file: Path) -> bool:
    """Return whether a command line names the file: `launch smpler_ros <name>`, or its path."""
    words = list(command)
    if file.name in words[words.index(_PACKAGE) + 1 :] if _PACKAGE in words else False:
        return True
    paths = (Path(word) for word in words if word.endswith(file.name))
    return any(path.exists() and path.samefile(file) for path in paths)
