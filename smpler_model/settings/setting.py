"""Frozen dataclasses whose fields have units, bounds and descriptions."""

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from functools import cache
from inspect import get_annotations
from math import inf, isfinite
from pathlib import Path
from types import UnionType
from typing import (
    Any,
    ClassVar,
    Literal,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

Scalar = bool | int | float | str
Value = Scalar | tuple[str, ...] | tuple[int, ...] | tuple[float, ...]
T = TypeVar("T")
S = TypeVar("S", bound="Settings")

_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
_LISTS = {int: "a list of whole numbers", float: "a list of numbers", str: "a list of texts"}


def setting(
    default: T,
    description: str,
    *,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    live: bool = False,
    is_path: bool = False,
    unset: str = "",
) -> T:
    """Return a dataclass field for a setting in a class of `Settings`; its annotation is the type.

    Args:
        default: value if none is given.
        description: one sentence or more.
        unit: unit of the value; empty if it has none.
        minimum: smallest valid value; None for no bound.
        maximum: largest valid value; None for no bound.
        choices: valid values; those of the annotation if it is a `Literal`; empty for any.
        live: whether it can change while the node is active; otherwise it is read when the node
            is configured.
        is_path: whether it may name a file, so that `~` stands for the user's home.
        unset: description of the default, if the value itself is not meaningful.
    """
    facts = {
        "description": description,
        "unit": unit,
        "minimum": minimum,
        "maximum": maximum,
        "choices": choices,
        "live": live,
        "is_path": is_path,
        "unset": unset,
    }
    return field(default=default, metadata=facts)


@dataclass(frozen=True)
class Setting:
    """The properties of one setting; see `setting` for the attributes that are not listed.

    Attributes:
        name: name of the field, in snake case.
        part: title of the group of settings that it belongs to.
        default: value if none is given.
        kind: type of the value, or of a list's elements.
        is_list: whether the value is a tuple of such elements.
        is_optional: whether it may be None, which only the default can be.
    """

    name: str
    part: str
    default: Value | None
    kind: type[bool | int | float | str]
    is_list: bool
    is_optional: bool
    description: str
    unit: str
    minimum: float | None
    maximum: float | None
    choices: tuple[str, ...]
    live: bool
    is_path: bool
    unset: str

    def check(self, value: object) -> Value | None:
        """Convert a value to the setting's type.

        Whole numbers are accepted as numbers, and any sequence as a list.

        Raises:
            ValueError: it has another type, or is outside its bounds or choices.
        """
        if value is None and self.is_optional:
            return None
        if not self.is_list:
            return self._check_item(value, _KINDS[self.kind])
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
            raise self._wrong_type(value, _LISTS[self.kind])
        items = tuple(value)
        return cast(Value, tuple(self._check_item(each, _LISTS[self.kind]) for each in items))

    def _check_item(self, value: object, expected: str) -> Scalar:
        if self.kind is float and type(value) is int:
            value = _float_of(value)
        if not isinstance(value, bool | int | float | str) or type(value) is not self.kind:
            raise self._wrong_type(value, expected)
        if isinstance(value, str):
            return self._check_text(value)
        low, high = self.minimum, self.maximum
        # Written so that NaN is refused as well.
        inside = (low is None or value >= low) and (high is None or value <= high)
        if not inside or (isinstance(value, float) and not isfinite(value)):
            raise ValueError(f"{self.name} must {self._bounds()}, got {value}")
        return value

    def _check_text(self, value: str) -> str:
        if self.choices and value not in self.choices:
            raise ValueError(
                f"{self.name} must be one of {', '.join(self.choices)}, got '{value}'"
                f"{did_you_mean(value, self.choices)}"
            )
        if not self.is_path or not value.startswith("~"):
            return value
        try:
            return str(Path(value).expanduser())
        except RuntimeError:
            raise ValueError(
                f"{self.name} must be a path, got '{value}', whose user has no home folder; write "
                "the whole path"
            ) from None

    def _bounds(self) -> str:
        low, high = (
            None if bound is None else f"{bound:.12g}" for bound in (self.minimum, self.maximum)
        )
        unit = self.unit and f" {self.unit}"
        if low is not None and high is not None:
            return f"lie between {low} and {high}{unit}"
        if low is not None or high is not None:
            return f"be at least {low}{unit}" if high is None else f"be at most {high}{unit}"
        return "be finite"

    def _wrong_type(self, value: object, expected: str) -> ValueError:
        got = "nothing" if value is None else repr(value)
        remedy = ""
        if self.kind is str and isinstance(value, bool | int | float):
            remedy = "; put it in quotes"
        elif self.is_list and isinstance(value, str):
            remedy = f"; write [{value}]"
        return ValueError(f"{self.name} must be {expected}, got {got}{remedy}")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Base of all settings: every field is created by `setting` and checked on construction.

    A subclass may combine several; their fields are then attributes of one object. Whole numbers
    become floats, lists become tuples, and `~` becomes the user's home.

    Attributes:
        part: title of a class's fields in help texts and tables.

    Raises:
        ValueError: a value of another type, or outside its bounds or choices.
    """

    part: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for each in table_of(type(self)):
            object.__setattr__(self, each.name, each.check(getattr(self, each.name)))

    def check_use(self) -> None:
        """Check that no value is without effect beside the others, once all are set.

        Raises:
            ValueError: one is.
        """

    @classmethod
    def from_values(cls: type[S], values: Mapping[str, object]) -> S:
        """Return settings from values by name, with defaults for missing ones.

        Raises:
            ValueError: an unknown name, or an invalid value.
        """
        check_names(values, [each.name for each in table_of(cls)])
        return cls(**values)


def table_of(kind: type[Settings]) -> tuple[Setting, ...]:
    """Return the properties of every setting of a class, in the order of its fields."""
    return _read_table(cast(Hashable, kind))


@cache
def _read_table(kind: Any) -> tuple[Setting, ...]:  # noqa: ANN401 - a class of `Settings`
    hints = get_type_hints(kind)
    return tuple(
        Setting(
            name=each.name,
            part=_part_of(kind, each.name),
            default=cast(Value, each.default),
            **{**each.metadata, **_facts_of(hints[each.name], each.metadata["choices"])},
        )
        for each in fields(kind)
    )


def check_names(names: Iterable[str], known: Collection[str]) -> None:
    """Refuse unknown names of settings.

    Raises:
        ValueError: an unknown name.
    """
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or "; docs/parameters.md lists all"
            raise ValueError(f"there is no parameter '{name}'{hint}")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence with the name probably meant; empty if none is similar."""
    near = get_close_matches(name, known, 1)
    return f"; did you mean '{near[0]}'?" if near else ""


def _part_of(kind: type[Settings], name: str) -> str:
    """Return the title of the class that defines a field."""
    return next(
        base.part
        for base in reversed(kind.__mro__)
        if issubclass(base, Settings) and name in get_annotations(base)
    )


def _facts_of(hint: Any, choices: tuple[str, ...]) -> dict[str, Any]:  # noqa: ANN401
    """Return an annotation as text: `bool`, `Literal[...]`, `str | None`, `tuple[str, ...]`."""
    is_optional = get_origin(hint) in (Union, UnionType)
    if is_optional:
        (hint,) = (each for each in get_args(hint) if each is not type(None))
    is_list = get_origin(hint) is tuple
    if is_list:
        hint = get_args(hint)[0]
    if get_origin(hint) is Literal:
        hint, choices = str, choices or get_args(hint)
    return {"kind": hint, "is_list": is_list, "is_optional": is_optional, "choices": choices}


def _float_of(value: int) -> float:
    """Return a whole number as a float; infinity if it is too large."""
    try:
        return float(value)
    except OverflowError:
        return inf if value > 0 else -inf
