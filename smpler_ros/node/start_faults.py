"""Explains in one sentence why a node cannot start, quoting the user's input."""

import os
import re
from pathlib import Path

_LARGEST_DOMAIN = 232  # larger ones would exceed the range of ports
_PLACE_IN_SOURCE = re.compile(r",? at [^\s,]+:\d+")
_PARAMETER_FILE = re.compile(r"params file: '--params-file (?P<given>.*)'\. Error: (?P<why>.*)")
_RULES = (
    (
        re.compile(r"parameter override rule: '-(?:p|-param) (?P<given>.*)'\. "),
        "-p must be followed by name:=value with a value in YAML, got '{given}'",
    ),
    (
        re.compile(r"remap rule: '-(?:r|-remap) (?P<given>.*)'\. "),
        "-r must be followed by name:=new_name with valid ROS names, got '{given}'",
    ),
    (
        re.compile(r"log level: '--log-level (?P<given>.*)'\. "),
        "--log-level must be debug, info, warn, error or fatal, got '{given}'",
    ),
    (
        re.compile(r"^\[(?P<given>'.*')\]$"),
        "the arguments after --ros-args must be ROS arguments, got {given}; give parameters as "
        "-p name:=value",
    ),
)
"""Patterns of rcl's and rclpy's messages about a command line, and the sentences to show."""


def check_domain() -> None:
    """Refuse an invalid ROS_DOMAIN_ID; rcl would take -1 for a large number.

    Raises:
        ValueError: it is not a number, or too large for the range of ports.
    """
    given = os.environ.get("ROS_DOMAIN_ID", "")
    if given and not (given.isdecimal() and int(given) <= _LARGEST_DOMAIN):
        raise ValueError(
            f"ROS_DOMAIN_ID must be a whole number between 0 and {_LARGEST_DOMAIN}, got "
            f"'{given}'; set a valid number or unset it"
        )


def explain(error: Exception) -> str:
    """Return one sentence on what was wrong; rcl's own words name lines of its source."""
    text = " ".join(_PLACE_IN_SOURCE.sub("", str(error)).split()).removesuffix(",")
    if found := _PARAMETER_FILE.search(text):
        return _explain_file(Path(found["given"]), found["why"])
    for pattern, sentence in _RULES:
        if found := pattern.search(text):
            return sentence.format(given=found["given"])
    return text


def _explain_file(path: Path, why: str) -> str:
    if not path.is_file():
        return f"--params-file must be a parameter file, got '{path}', where there is no file"
    return (
        f"'{path}' must be a parameter file like config/camera.yaml, got one that ROS cannot "
        f"read ({why.rstrip('.')})"
    )
