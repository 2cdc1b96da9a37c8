"""Command-line flags, one per setting."""

import argparse
import math
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from smpler_model.settings.parameter_file import read_parameter_file
from smpler_model.settings.setting import Setting, Settings, Value, table_of

S = TypeVar("S", bound=Settings)

_PREFIX = "setting:"  # of the attributes in argparse's namespace


def at_least(least: float) -> Callable[[str], float]:
    """Return a parser for a flag with a finite number of the type of its minimum.

    Args:
        least: minimum value; an int for whole numbers.
    """
    kind = type(least)

    def read(text: str) -> float:
        try:
            number = kind(text)
        except ValueError:
            number = math.nan
        if not least <= number < math.inf:
            what = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"must be {what} of at least {least}, got {text!r}")
        return number

    return read


def read_path(text: str) -> Path:
    """Parse a path; an empty one, as from an unset shell variable, is refused."""
    return Path(read_text(text))


def read_text(text: str) -> str:
    """Parse a text that must not be empty."""
    if not text:
        raise argparse.ArgumentTypeError("must name something, got an empty text")
    return text


def add_params_flag(parser: argparse.ArgumentParser) -> None:
    """Add `--params` for a file of settings."""
    parser.add_argument(
        "--params",
        type=read_path,
        metavar="FILE",
        help="parameter file (YAML), for example that of the node; flags take precedence",
    )


def add_flags(parser: argparse.ArgumentParser, kind: type[Settings]) -> None:
    """Add a flag for every setting of a class."""
    # Settings of this command alone come first; the sort keeps the order of the rest.
    table = sorted(table_of(kind), key=lambda each: each.part != kind.part)
    for part, settings in groupby(table, key=lambda each: each.part):
        group = parser.add_argument_group(part.lower())
        for each in settings:
            _add_flag(group, each)


def read_settings(chosen: argparse.Namespace, kind: type[S]) -> S:
    """Return the values of the flags, else those of the `--params` file, else the defaults.

    Raises:
        ValueError: a file that is not YAML of parameters, or an invalid value.
        OSError: a file that cannot be read.
    """
    names = [each.name for each in table_of(kind)]
    file: Path | None = vars(chosen).get("params")
    values = read_parameter_file(file, names) if file else {}
    flags = {
        name.removeprefix(_PREFIX): value
        for name, value in vars(chosen).items()
        if name.startswith(_PREFIX) and value is not None
    }
    return kind.from_values(values | flags)


def _add_flag(group: argparse._ArgumentGroup, each: Setting) -> None:
    text = f"{each.description} Default: {each.unset or _shown(each)}.".replace("%", "%%")
    options: dict[str, Any] = {"dest": _PREFIX + each.name, "help": text}
    if each.kind is bool:
        options["action"] = argparse.BooleanOptionalAction
    elif each.choices:
        options["choices"] = each.choices
    else:
        text = "PATH" if each.is_path else "TEXT"
        options |= {"type": each.kind, "metavar": {int: "N", float: "X"}.get(each.kind, text)}
    if each.is_list:
        options |= {"nargs": "*", "action": "extend"}
    group.add_argument("--" + each.name.replace("_", "-"), **options)


def _shown(each: Setting) -> str:
    """Return the default as shown in the help."""
    default: Value | None = each.default
    if isinstance(default, bool):
        return "yes" if default else "no"
    if isinstance(default, tuple):
        return " ".join(map(str, default)) or "none"
    return f"{default} {each.unit}".rstrip() if default not in (None, "") else "empty"
