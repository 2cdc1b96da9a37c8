"""Prints the parameters of a node: the file in `config/`, or the page `docs/parameters.md`."""

import argparse
import json
import math
import sys
import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby

import yaml

from smpler_model.settings.setting import Setting, Settings, Value, table_of
from smpler_ros.parameters.node_settings import NodeSettings
from smpler_ros.parameters.scene_settings import SceneSettings
from smpler_ros.parameters.stand_settings import StandSettings
from smpler_ros.parameters.viewer_settings import ViewerSettings

NODES: dict[str, type[Settings]] = {
    "smpler_node": NodeSettings,
    "synthetic_camera": SceneSettings,
    "camera_stand": StandSettings,
    "viewer": ViewerSettings,
}
"""Settings class of every node by program name."""

_COMMAND = "python -m smpler_ros.parameters.parameter_file"
_WIDTH = 99
_INDENT = " " * 4
_LIVE = "Can change at runtime."
_INTRODUCTION = f"""\
# Parameters

Parameters of the nodes with type, default and bounds. Copy the node's file from `config`
(`camera.yaml` for `smpler_node`, `synthetic_camera.yaml`, `camera_stand.yaml` or `viewer.yaml`),
keep the lines that you change, and give it to the node. `evaluate_bag` and `smpler run` take a
file for `smpler_node` with `--params`:

```bash
ros2 launch smpler_ros camera.launch.py params_file:=$PWD/my_camera.yaml
evaluate_bag example_bag --params my_camera.yaml
```

Unknown names and values of the wrong type or out of range are refused. Whole numbers are accepted
as numbers, `[]` is an empty list, and `~` at the start of a path is the home folder. Parameters
that can change at runtime take effect from the next image (`ros2 param set /smpler_node fov 75`);
others are read when the node is configured. Parameters of topics have no effect on `evaluate_bag`
and `smpler run`; their own flags are listed by `--help`.

This page is written by `{_COMMAND} --markdown`."""


def yaml_lines(program: str) -> list[str]:
    """Return a parameter file with every default, and descriptions as comments.

    It applies to nodes of any name in any namespace.

    Args:
        program: a key of `NODES`.
    """
    head = (
        f"Every parameter of {program} with its default. Copy this file, keep the lines that you "
        f"change, and give it to the node: ros2 run smpler_ros {program} --ros-args --params-file "
        f"<your file>. Written by: {_COMMAND} --node {program}"
    )
    lines = [*_comment(head, ""), "/**:", "  ros__parameters:"]
    for index, each in enumerate(table_of(NODES[program])):
        lines += [""] * (index > 0)
        lines += _comment(" ".join(_facts(each)), _INDENT)
        lines.append(f"{_INDENT}{each.name}: {yaml_value(each.default)}")
    return lines


def markdown_lines() -> Iterator[str]:
    """Return the page of all parameters."""
    yield _INTRODUCTION
    for program, kind in NODES.items():
        yield from ("", f"## {program}")
        for part, settings in groupby(table_of(kind), key=lambda each: each.part):
            yield from ("", f"### {part}", "")
            yield from ("| parameter | type | default | what it does |", "|---|---|---|---|")
            yield from map(_row, settings)


def yaml_value(value: Value | None) -> str:
    """Return a value as one line of YAML that ROS reads with the right type."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(yaml_value, value))}]"
    if isinstance(value, float):
        # PyYAML reads 1e-3 as a string.
        text = f"{value:.12f}".rstrip("0")
        return text + "0" * text.endswith(".")
    if isinstance(value, str):
        quoted: str = yaml.safe_dump(value, default_style='"', width=math.inf)
        return quoted.rstrip("\n")
    return json.dumps(value)


def _row(each: Setting) -> str:
    kind = f"list of {each.kind.__name__}" if each.is_list else each.kind.__name__
    facts = " ".join(_facts(each)).replace("|", "\\|")
    return f"| `{each.name}` | {kind} | `{yaml_value(each.default)}` | {facts} |"


def _facts(each: Setting) -> list[str]:
    """Return sentences: what it is, its unit, its bounds or choices, when it can change."""
    facts = [each.description]
    if each.unit:
        facts.append(f"Unit: {each.unit}.")
    low, high = (
        None if bound is None else f"{bound:.12g}" for bound in (each.minimum, each.maximum)
    )
    if low is not None and high is not None:
        facts.append(f"Range: {low} to {high}.")
    elif low is not None or high is not None:
        facts.append(f"At least {low}." if low is not None else f"At most {high}.")
    if each.choices:
        facts.append(f"One of: {', '.join(each.choices)}.")
    return [*facts, _LIVE] if each.live else facts


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
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--node", choices=NODES, default="smpler_node", help="whose parameters")
    parser.add_argument("--markdown", action="store_true", help="the page of all nodes instead")
    options = parser.parse_args(arguments)
    lines = markdown_lines() if options.markdown else yaml_lines(options.node)
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
