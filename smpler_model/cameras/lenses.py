"""Lens models under the names that drivers and calibration tools use."""

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
"""Lens models, with their permitted numbers of coefficients."""

_RADIAL, _FISHEYE = "radial", "fisheye"
# Names without punctuation, in lower case. In OpenCV, the coefficients of rational_polynomial
# extend those of plumb_bob.
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
        is_known: False if name and coefficients are unusable, so that no distortion is applied.
        doubt: a warning about the interpretation; empty if there is no doubt.
    """

    model: str = "none"
    coefficients: tuple[float, ...] = ()
    is_known: bool = True
    doubt: str = ""


def find_lens(name: str, coefficients: Sequence[float]) -> Lens:
    """Return the lens for a `distortion_model` and its `d`.

    Trailing coefficients of 0 are ignored, whatever their number; with only such coefficients the
    name is ignored too.
    """
    values = tuple(map(float, coefficients))
    if not any(values):  # NaN is true
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
        "are treated as undistorted, and the results are flagged; calibrate the camera "
        "with one of these models",
    )


def _fit(values: tuple[float, ...], counts: tuple[int, ...]) -> tuple[float, ...] | None:
    """Pad the coefficients with zeros, or cut zeros off, to one of the counts."""
    if len(values) in counts:
        return values
    needed = max(index + 1 for index, value in enumerate(values) if value)
    # With three radial-tangential coefficients it is ambiguous whether the third is p1 or k3.
    count = next((count for count in counts if count >= needed), None)
    if count is None or len(values) == 3:
        return None
    return (values + (0.0,) * count)[:count]


def _doubt(name: str, model: str, count: int) -> str:
    is_promoted = model == "rational_polynomial" and "rational" not in name.lower()
    if not is_promoted:
        return ""
    return (
        f"{_called(name, count)} is interpreted as rational_polynomial, as it has more than five; "
        "set distortion_model to that"
    )


def _called(name: str, count: int) -> str:
    return f"the lens model '{name[:_MOST_LETTERS]}' with {count} coefficients"
