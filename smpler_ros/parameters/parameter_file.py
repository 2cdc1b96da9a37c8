"""Print the parameters of a node as the file in `config/` or as a table for the README."""

import argparse
import json
import math
import sys
import textwrap
from collections.abc import Sequence

import yaml

from smpler_model.parameters import Parameter, Value
from smpler_ros.camera.scene_parameters import SYNTHETIC_CAMERA_PARAMETERS
from smpler_ros.parameters.table import NODE_PARAMETERS

TABLES: dict[str, Sequence[Parameter]] = {
    "smpler_node": NODE_PARAMETERS,
    "synthetic_camera": SYNTHETIC_CAMERA_PARAMETERS,
}
"""The parameters of every node by the name of its program."""

_WIDTH = 99
_INDENT = " " * 4
_LIVE = "Can change at any time."


def yaml_lines(program: str) -> list[str]:
    """Return a parameter file with every default, and what there is to know as comments.

    It holds for nodes of any name in any namespace.

    Args:
        program: a key of `TABLES`.
    """
    head = (
        f"Every parameter of {program} with its default. Copy this file, keep the lines that you "
        f"change, and give it to the node: ros2 run smpler_ros {program} --ros-args --params-file "
        "<your file>. Written by: python -m smpler_ros.parameters.parameter_file --node " + program
    )
    lines = [*_comment(head, ""), "/**:", "  ros__parameters:"]
    for index, parameter in enumerate(TABLES[program]):
        lines += [""] * (index > 0)
        lines += _comment(" ".join(_facts(parameter)), _INDENT)
        lines.append(f"{_INDENT}{parameter.name}: {yaml_value(parameter.default)}")
    return lines


def markdown_lines(program: str) -> list[str]:
    """Return a table of the parameters.

    Args:
        program: a key of `TABLES`.
    """
    lines = ["| parameter | default | what it does |", "|---|---|---|"]
    for parameter in TABLES[program]:
        facts = " ".join(_facts(parameter)).replace("|", "\\|")
        lines.append(f"| `{parameter.name}` | `{yaml_value(parameter.default)}` | {facts} |")
    return lines


def yaml_value(value: Value) -> str:
    """Return a value as YAML of one line, of the type that ROS takes it for."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(yaml_value, value))}]"
    if isinstance(value, float):
        # YAML reads 1e-3 as a string.
        text = f"{value:.12f}".rstrip("0")
        return text + "0" * text.endswith(".")
    if isinstance(value, str):
        quoted: str = yaml.safe_dump(value, default_style='"', width=math.inf)
        return quoted.rstrip("\n")
    return json.dumps(value)


def _facts(parameter: Parameter) -> list[str]:
    """Return sentences: what it is, its unit, its bounds or choices, when it can change."""
    facts = [parameter.description]
    if parameter.unit:
        facts.append(f"Unit: {parameter.unit}.")
    low, high = (
        None if bound is None else f"{bound:.12g}"
        for bound in (parameter.minimum, parameter.maximum)
    )
    if low is not None and high is not None:
        facts.append(f"From {low} to {high}.")
    elif low is not None or high is not None:
        facts.append(f"At least {low}." if low is not None else f"At most {high}.")
    if parameter.choices:
        facts.append(f"One of: {', '.join(parameter.choices)}.")
    return [*facts, _LIVE] if parameter.live else facts


def _comment(text: str, indent: str) -> list[str]:
    start = f"{indent}# "
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=start,
        subsequent_indent=start,
        break_long_words=False,
        break_on_hyphens=False,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--node", choices=TABLES, default="smpler_node", help="whose parameters")
    parser.add_argument("--markdown", action="store_true", help="a table instead of YAML")
    options = parser.parse_args(arguments)
    lines = (markdown_lines if options.markdown else yaml_lines)(options.node)
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
