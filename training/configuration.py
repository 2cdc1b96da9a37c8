"""Configurations: frozen dataclasses read from YAML, with overrides on the command line.

Fields may be numbers, strings, paths, choices (`Literal`), tuples of one type, other dataclasses,
or `None`. If a field may be one of several dataclasses, each has a field `kind` whose default
names it, and the value's `kind` selects one; without it, the first is used.
"""

import copy
import dataclasses
import re
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from smpler_model.atomic_files import write_text_atomically

AnySettings = TypeVar("AnySettings")

_POWER_OF_TEN = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")  # YAML 1.1 reads 2e-4 as text


def load_configuration(
    kind: type[AnySettings], path: str | Path, overrides: Sequence[str] = ()
) -> AnySettings:
    """Read a configuration.

    Args:
        kind: the dataclass.
        path: YAML file with the fields; omitted ones keep their defaults.
        overrides: `field=value` with the value in YAML; nested fields as `data.shards=2`, and
            list items as `data.sets.0.weight=2`.

    Raises:
        ValueError: an unknown field, a value of the wrong type, or a broken YAML file.
        FileNotFoundError: there is no such file.
    """
    return settings_from_values(kind, read_values(path, overrides))


def read_values(path: str | Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Read a configuration's fields; see `load_configuration`.

    Raises:
        ValueError: a broken YAML file, or an override without a value.
        FileNotFoundError: there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"the configuration must be a YAML file, got {path}; copy one of config/train or "
            "config/evaluate"
        )
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"{path} must be YAML, got: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold fields and values, got {content!r}")
    return override(content, overrides)


def override(content: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return a configuration's fields after overrides, see `load_configuration`.

    Raises:
        ValueError: an override without a value, or one that is not YAML.
    """
    changed = copy.deepcopy(dict(content))
    for text in overrides:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"overrides must be field=value, got '{text}'; write {text}=VALUE")
        try:
            given = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ValueError(f"{name} must be YAML, got '{value}'; quote it") from error
        _place(changed, name.split("."), given)
    return changed


def settings_from_values(kind: type[AnySettings], values: object, where: str = "") -> AnySettings:
    """Build a settings dataclass from plain values, checking names and types.

    Raises:
        ValueError: an unknown field, or a value of the wrong type.
    """
    if not isinstance(values, Mapping):
        raise ValueError(
            f"{where or 'the configuration'} must be a mapping, got {values!r}; indent its fields"
        )
    hints = typing.get_type_hints(kind)
    unknown = sorted(set(map(str, values)) - set(hints))
    if unknown:
        raise ValueError(
            f"fields must be among {', '.join(hints)}, got {where}{unknown[0]}; correct or "
            "remove it"
        )
    read = {name: _read(hints[name], value, f"{where}{name}") for name, value in values.items()}
    required = {
        field.name
        for field in dataclasses.fields(kind)  # type: ignore[arg-type]
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }
    if missing := sorted(required - set(read)):
        name = f"{where}{missing[0]}"
        raise ValueError(
            f"{name} must be given, got nothing; set it in the file, or with {name}=VALUE"
        )
    return kind(**read)


def plain_values(settings: Any) -> dict[str, Any]:  # noqa: ANN401 - any settings dataclass
    """Return settings as plain values for YAML; `settings_from_values` reads them back."""
    return {name: _plain(value) for name, value in dataclasses.asdict(settings).items()}


def write_configuration(settings: Any, path: Path) -> None:  # noqa: ANN401 - any dataclass
    """Write settings with all defaults filled in, so that they can be run again."""
    write_text_atomically(path, yaml.safe_dump(plain_values(settings), sort_keys=False))


def _place(content: Any, names: Sequence[str], value: object) -> None:  # noqa: ANN401 - YAML
    """Set a value at a path of names, creating missing mappings."""
    *outer, last = names
    for name in outer:
        if isinstance(content, list):
            content = content[_row(content, name)]
        else:
            if not isinstance(content.setdefault(name, {}), dict | list):
                content[name] = {}
            content = content[name]
    if isinstance(content, list):
        content[_row(content, last)] = value
    else:
        content[last] = value


def _row(content: list[Any], name: str) -> int:
    if not name.isdigit() or int(name) >= len(content):
        raise ValueError(f"an index in a list must be a number below {len(content)}, got '{name}'")
    return int(name)


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, Path) else value


def _read(kind: Any, value: object, where: str) -> object:  # noqa: ANN401 - any annotation
    origin, choices = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _read_union(choices, value, where)
    if origin is Literal:
        if value in choices:
            return value
        names = ", ".join(map(str, choices))
        raise ValueError(f"{where} must be one of {names}, got {value!r}")
    if origin is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{where} must be a list, got {value!r}; write one item per line")
        return tuple(_read(choices[0], v, f"{where}.{i}") for i, v in enumerate(value))
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return settings_from_values(kind, value, f"{where}.")
    if kind is Path and isinstance(value, str):
        return Path(value).expanduser()
    if kind is float and _is_number(value):
        return float(value)  # type: ignore[arg-type]
    if type(value) is kind:
        return value
    raise ValueError(f"{where} must be {kind.__name__}, got {value!r}")


def _is_number(value: object) -> bool:
    if isinstance(value, str):
        return _POWER_OF_TEN.fullmatch(value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)


def _read_union(choices: Sequence[Any], value: object, where: str) -> object:
    if value is None and type(None) in choices:
        return None
    kinds = [choice for choice in choices if choice is not type(None)]
    if len(kinds) == 1:
        return _read(kinds[0], value, where)
    named = {kind.kind: kind for kind in kinds}
    name = value.get("kind", kinds[0].kind) if isinstance(value, Mapping) else kinds[0].kind
    if name not in named:
        raise ValueError(f"{where}.kind must be one of {', '.join(named)}, got {name!r}")
    return _read(named[name], value, where)
