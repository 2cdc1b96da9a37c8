import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smpler_model.inference.backends import BACKENDS, PRECISIONS
from smpler_model.parameters import PARAMETERS, Parameter, check_values, default_values


def test_names_are_unique_and_defaults_pass_their_own_check() -> None:
    assert len(default_values()) == len(PARAMETERS)
    for parameter in PARAMETERS:
        assert parameter.check(parameter.default) == parameter.default
        assert parameter.description.endswith(".")


def test_missing_values_are_defaults() -> None:
    values = check_values({"fov": 75})
    assert values == default_values() | {"fov": 75.0}
    assert type(values["fov"]) is float


@given(st.floats())
def test_numbers_outside_their_bounds_are_refused(value: float) -> None:
    parameter = Parameter("fov", 60.0, "Field of view.", unit="degrees", minimum=1, maximum=179)
    if 1 <= value <= 179:
        assert parameter.check(value) == value
    else:
        with pytest.raises(ValueError, match="fov must lie between 1 and 179 degrees"):
            parameter.check(value)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("fov", math.nan, "must lie between"),
        ("fov", "wide", "must be of type float"),
        ("max_people", 2.5, "must be of type int"),
        ("max_people", True, "must be of type int"),
        ("coast", 1, "must be of type bool"),
        ("detector", "yolo", "must be one of torchvision, onnx"),
        ("colour", "red", "parameters are model, body, .*, got 'colour'; check its spelling"),
        ("smoothin", True, "got 'smoothin'; write 'smoothing' if that is meant"),
    ],
)
def test_wrong_values_are_refused(name: str, value: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_values({name: value})


def test_lists_of_strings_become_tuples() -> None:
    cameras = Parameter("cameras", (), "Namespaces of the cameras.")
    assert cameras.check(["left", "right"]) == ("left", "right")
    with pytest.raises(ValueError, match="must be of type tuple"):
        cameras.check([1, 2])


def test_back_ends_are_those_of_the_estimator() -> None:
    choices = {parameter.name: parameter.choices for parameter in PARAMETERS}
    assert choices["backend"] == BACKENDS
    assert choices["precision"] == PRECISIONS
