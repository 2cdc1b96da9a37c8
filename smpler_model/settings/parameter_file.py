"""Parameter files in YAML: plain names and values, or ROS's format, parsed as ROS parses them."""

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from smpler_model.settings.setting import check_names

NODE_ONLY = (
    *("autostart", "cameras", "image_transport", "rectified", "person_labels"),
    *("use_depth", "pairing_tolerance"),
    *("fixed_frame", "fusion_tolerance", "transform_wait"),
    *("publish_tf", "tf_prefix", "tf_confidence", "publish_vertices", "publish_hri"),
    *("marker_lifetime", "mesh_opacity", "overlay_mesh", "jpeg_quality"),
)
"""Parameters of nodes that are ignored where nothing reads them, as without live topics."""

ANY_NODE = ("qos_overrides", "start_type_description_service", "use_sim_time")
"""First parts of the names of parameters that every ROS node has."""

_ROS_KEY = "ros__parameters"
_NODE, _EVERY_NODE = "smpler_node", ("**", "*")  # the node's name in a file with several nodes


def read_parameter_file(path: Path, names: Collection[str]) -> dict[str, object]:
    """Read the values of some parameters from a file.

    Args:
        path: path of the file.
        names: names of the requested parameters. `NODE_ONLY` and `ANY_NODE` are left out.

    Raises:
        ValueError: the file is not YAML, has another format, or holds an unknown parameter name.
        OSError: it cannot be read.
    """
    try:
        content = yaml.load(path.expanduser().read_text(), _RosLoader)
        if not isinstance(content, Mapping):
            raise ValueError(f"{path} must hold lines like 'fov: 75.0', got {content!r}")
        values = _values_of_node(path, content)
    except RecursionError:
        raise ValueError(f"{path} must be a parameter file, got one nested too deeply") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} must be a YAML file: {' '.join(str(error).split())}") from None
    known = [*names, *NODE_ONLY, *ANY_NODE]
    try:
        check_names((name.partition(".")[0] for name in values), known)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return {name: value for name, value in values.items() if name in names}


class _RosLoader(yaml.SafeLoader):
    """Resolves plain scalars like rcl's parser.

    PyYAML alone would read 1e-3 as text, 1:30 as a number, 2026-11-28 as a date, and `~` as
    nothing.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


def _resolve(tag: str, pattern: str, first: str) -> None:
    _RosLoader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))


_resolve("bool", r"(?i:y|yes|n|no|true|false|on|off)$", "yYnNtTfFoO")
_resolve("int", r"[-+]?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$", "-+0123456789")
_resolve(
    "float",
    r"([-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$",
    "-+.0123456789",
)
_RosLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("$"), [""])


def _construct_bool(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> bool:
    return str(loader.construct_scalar(node)).lower() in ("y", "yes", "true", "on")


_RosLoader.add_constructor("tag:yaml.org,2002:bool", _construct_bool)


def _values_of_node(path: Path, content: Mapping[Any, object]) -> dict[str, object]:
    """Return the values for this project's node; all values if it is not a ROS parameter file.

    As in ROS, values for all nodes (`**`) come first, whatever the order in the file.
    """
    nodes = list(_nodes_in(content))
    if not nodes:
        return {str(name): value for name, value in content.items()}
    named = [pair for pair in nodes if pair[0] not in _EVERY_NODE]
    ours = [pair for pair in named if pair[0] == _NODE] or named
    if len(ours) > 1:
        listed = ", ".join(name for name, _ in ours)
        raise ValueError(
            f"{path} must hold parameters of one {_NODE} if it has several nodes, got {listed}; "
            "rename one, or remove the others"
        )
    common = [values for name, values in nodes if name in _EVERY_NODE]
    found = [*common, *(values for _, values in ours)]
    return {str(name): value for values in found for name, value in values.items()}


def _nodes_in(content: Mapping[Any, object]) -> Iterator[tuple[str, Mapping[Any, object]]]:
    """Yield the nodes in a ROS file with their parameters, including nodes in namespaces."""
    for name, value in content.items():
        if not isinstance(value, Mapping):
            continue
        values = value.get(_ROS_KEY, value)
        if values is None or (_ROS_KEY in value and isinstance(values, Mapping)):
            yield str(name).rpartition("/")[2], values or {}
        else:
            yield from _nodes_in(value)
