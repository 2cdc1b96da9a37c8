import math
from array import array
from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smpler_model.settings.setting import Settings, setting, table_of


@dataclass(frozen=True, kw_only=True)
class Lens(Settings):
    """A base class."""

    part: ClassVar[str] = "Lens"

    fov: float = setting(60.0, "Field of view.", unit="degrees", minimum=1, maximum=179, live=True)
    kind: Literal["wide", "narrow"] = setting("wide", "Kind of the lens.")


@dataclass(frozen=True, kw_only=True)
class Camera(Lens):
    """A subclass that gives one field another default and other choices."""

    part: ClassVar[str] = "Camera"

    kind: str = setting("any", "Kind of the lens.", choices=("any", "wide"))
    names: tuple[str, ...] = setting(("front",), "Names.")
    rows: tuple[int, ...] = setting((), "Rows.", minimum=0)
    count: int = setting(3, "Images.", minimum=1)
    flipped: bool | None = setting(None, "Upside down.", unset="as the driver says")
    calibration: str = setting("", "File.", is_path=True)
    gain: float = setting(1.0, "Gain.")


def test_properties_follow_annotation_and_setting() -> None:
    table = {each.name: each for each in table_of(Camera)}
    assert list(table) == [
        "fov",
        "kind",
        "names",
        "rows",
        "count",
        "flipped",
        "calibration",
        "gain",
    ]
    fov, kind, names = table["fov"], table["kind"], table["names"]
    assert (fov.kind, fov.unit, fov.minimum, fov.maximum, fov.live) == (
        float,
        "degrees",
        1,
        179,
        True,
    )
    assert (fov.part, kind.part, names.part) == ("Lens", "Lens", "Camera")
    assert (kind.default, kind.choices) == ("any", ("any", "wide"))
    assert table_of(Lens)[1].choices == ("wide", "narrow")
    assert (names.kind, names.is_list, table["rows"].kind) == (str, True, int)
    assert (table["flipped"].kind, table["flipped"].is_optional) == (bool, True)


def test_defaults_hold_where_nothing_is_given() -> None:
    camera = Camera.from_values({"fov": 75, "names": ["left", "right"]})
    assert camera == Camera(fov=75.0, names=("left", "right"))
    assert type(camera.fov) is float
    assert (camera.count, camera.flipped) == (3, None)


@given(st.floats() | st.integers() | st.sampled_from([10**400, -(10**400)]))
def test_numbers_outside_their_bounds_are_refused(value: float) -> None:
    if 1 <= value <= 179:
        assert Lens(fov=value).fov == value
    else:
        with pytest.raises(ValueError, match="fov must lie between 1 and 179 degrees, got"):
            Lens(fov=value)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"fov": math.nan}, "fov must lie between 1 and 179 degrees, got nan"),
        ({"fov": "wide"}, "fov must be a number, got 'wide'"),
        ({"fov": None}, "fov must be a number, got nothing"),
        ({"fov": True}, "fov must be a number, got True"),
        ({"gain": math.inf}, "gain must be finite, got inf"),
        ({"count": 2.5}, "count must be a whole number, got 2.5"),
        ({"count": True}, "count must be a whole number, got True"),
        ({"count": 0}, "count must be at least 1, got 0"),
        ({"flipped": 1}, "flipped must be true or false, got 1"),
        ({"kind": "weid"}, "kind must be one of any, wide, got 'weid'; did you mean 'wide'?"),
        ({"kind": "x"}, "kind must be one of any, wide, got 'x'"),
        ({"calibration": 7}, "calibration must be text, got 7; put it in quotes"),
        ({"names": "left"}, "names must be a list of texts, got 'left'; write [left]"),
        ({"names": ["left", 0]}, "names must be a list of texts, got 0; put it in quotes"),
        ({"names": array("q", [0])}, "names must be a list of texts, got 0; put it in quotes"),
        ({"names": {"a": "b"}}, "names must be a list of texts, got {'a': 'b'}"),
        ({"rows": [1, -2]}, "rows must be at least 0, got -2"),
        ({"colour": "red"}, "there is no parameter 'colour'; docs/parameters.md lists all"),
        ({"calibratoin": ""}, "there is no parameter 'calibratoin'; did you mean 'calibration'?"),
        (
            {"calibration": "~nobody_at_all/x"},
            "calibration must be a path, got '~nobody_at_all/x', whose user has no home folder; "
            "write the whole path",
        ),
    ],
)
def test_wrong_values_are_refused_in_one_sentence(values: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        Camera.from_values(values)
    assert str(caught.value) == reason


def test_lists_may_be_empty() -> None:
    assert Camera.from_values({"names": [], "rows": []}) == Camera(names=(), rows=())


def test_home_is_expanded_only_in_paths(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    camera = Camera(calibration="~/c.yaml", names=("~/n",))
    assert camera.calibration == str(tmp_path / "c.yaml")
    assert camera.names == ("~/n",)
    assert Camera(calibration="a~/./c.yaml").calibration == "a~/./c.yaml"


def test_settings_are_immutable() -> None:
    with pytest.raises(AttributeError):
        Lens().fov = 3.0  # type: ignore[misc]
    assert [each.name for each in fields(Lens)] == ["fov", "kind"]
