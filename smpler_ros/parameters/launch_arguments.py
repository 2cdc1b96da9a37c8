"""Checks the arguments of launch files, as `launch` itself ignores unknown ones silently."""

import sys
from collections.abc import Iterable
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


def _is_started_by(command: Iterable[str], file: Path) -> bool:
    """Return whether a command line names the file: `launch smpler_ros <name>`, or its path."""
    words = list(command)
    if file.name in words[words.index(_PACKAGE) + 1 :] if _PACKAGE in words else False:
        return True
    paths = (Path(word) for word in words if word.endswith(file.name))
    return any(path.exists() and path.samefile(file) for path in paths)
