"""Lens models by the names that drivers and calibration tools give them."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

COEFFICIENT_COUNTS = {
    "none": (0,),
    "plumb_bob": (4, 5),
    "rational_polynomial": (8, 12, 14),
    "equidistant": (4,),
}
"""Lens models, and how many coefficients each may have."""

_RADIAL, _FISHEYE = "radial", "fisheye"
# Spelled without what is no letter or digit. OpenCV has one vector for plumb_bob and
# rational_polynomial: the longer one goes on where the shorter one ends.
_FAMILIES = {
    **dict.fromkeys(
        ("", "plumbbob", "radtan", "radialtangential", "browncondrady", "brownconrady", "brown"),
        _RADIAL,
    ),
    **dict.fromkeys(("pinhole", "opencv", "rational", "rationalpolynomial"), _RADIAL),
    **dict.fromkeys(("equidistant", "equidist", "equi", "fisheye", "opencvfisheye"), _FISHEYE),
    **dict.fromkeys(("kannalabrandt", "kannalabrandt4"), _FISHEYE),
}
_MOST_LETTERS = 40


@dataclass(frozen=True)
class Lens:
    """A lens model with its coefficients.

    Attributes:
        model: a key of `COEFFICIENT_COUNTS`.
        coefficients: coefficients in OpenCV's order.
        is_known: False where a name or its numbers say nothing, so that no lens takes its place.
        doubt: a sentence on what was taken for what; empty where nothing was.
    """

    model: str = "none"
    coefficients: tuple[float, ...] = ()
    is_known: bool = True
    doubt: str = ""


def find_lens(name: str, coefficients: Sequence[float]) -> Lens:
    """Return the lens of a `distortion_model` and its `d`.

    Coefficients of 0 at the end say nothing, whatever their count, and neither does a name with
    nothing but such.
    """
    values = tuple(map(float, coefficients))
    if not any(values):  # NaN counts as a number here
        return Lens()
    family = _FAMILIES.get(re.sub(r"[^a-z0-9]", "", name.lower()))
    if all(map(math.isfinite, values)) and family is not None:
        kinds = ("plumb_bob", "rational_polynomial") if family == _RADIAL else ("equidistant",)
        for model in kinds:
            fitted = _fit(values, COEFFICIENT_COUNTS[model])
            if fitted is not None:
                return Lens(model, fitted, doubt=_doubt(name, model, len(values)))
    return Lens(
        is_known=False,
        doubt=f"{_called(name, len(values))} is none of {', '.join(COEFFICIENT_COUNTS)}: images "
        "are taken as if the lens did not bend, and the results are marked; calibrate the camera "
        "with one of them",
    )


def _fit(values: tuple[float, ...], counts: tuple[int, ...]) -> tuple[float, ...] | None:
    """Return the coefficients with zeros added or left out to one of the counts."""
    if len(values) in counts:
        return values
    needed = max(index + 1 for index, value in enumerate(values) if value)
    # Of three radial-tangential numbers nobody knows whether the third is p1 or k3.
    count = next((count for count in counts if count >= needed), None)
    if count is None or len(values) == 3:
        return None
    return (values + (0.0,) * count)[:count]


def _doubt(name: str, model: str, count: int) -> str:
    is_promoted = model == "rational_polynomial" and "rational" not in name.lower()
    if not is_promoted:
        return ""
    return (
        f"{_called(name, count)} is taken for rational_polynomial, as it has more than five; name "
        "that as the distortion_model"
    )


def _called(name: str, count: int) -> str:
    return f"the lens model '{name[:_MOST_LETTERS]}' with {count} coefficients"
