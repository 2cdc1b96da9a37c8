"""Why a node cannot start, in one sentence that names what the user gave."""

import os
import re
from pathlib import Path

_LARGEST_DOMAIN = 232  # its ports are the last ones
_PLACE_IN_SOURCE = re.compile(r",? at [^\s,]+:\d+")
_PARAMETER_FILE = re.compile(r"params file: '--params-file (?P<given>.*)'\. Error: (?P<why>.*)")
_RULES = (
    (
        re.compile(r"parameter override rule: '-(?:p|-param) (?P<given>.*)'\. "),
        "-p must be followed by name:=value with a value in YAML, got '{given}'; correct it",
    ),
    (
        re.compile(r"remap rule: '-(?:r|-remap) (?P<given>.*)'\. "),
        "-r must be followed by name:=new_name with names as ROS has them, got '{given}'; "
        "correct it",
    ),
    (
        re.compile(r"log level: '--log-level (?P<given>.*)'\. "),
        "--log-level must be debug, info, warn, error or fatal, got '{given}'; choose one",
    ),
    (
        re.compile(r"^\[(?P<given>'.*')\]$"),
        "what follows --ros-args must be arguments of ROS, got {given}; give parameters as "
        "-p name:=value",
    ),
)
"""Of what rcl and rclpy say of a command line, what was given; and what to say instead."""


def check_domain() -> None:
    """Refuse a ROS_DOMAIN_ID that is none; rcl takes -1 for a large number.

    Raises:
        ValueError: it is no number, or too large for its ports.
    """
    given = os.environ.get("ROS_DOMAIN_ID", "")
    if given and not (given.isdecimal() and int(given) <= _LARGEST_DOMAIN):
        raise ValueError(
            f"ROS_DOMAIN_ID must be a whole number between 0 and {_LARGEST_DOMAIN}, got "
            f"'{given}'; correct or unset it"
        )


def explain(error: Exception) -> str:
    """Return in one sentence what was wrong; rcl's own words name places in its source."""
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
        f"'{path}' must be a parameter file as config/camera.yaml is one, got one that ROS cannot "
        f"read ({why.rstrip('.')}); correct it"
    )
