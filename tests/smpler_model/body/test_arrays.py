from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from smpler_model.body.arrays import BodyArrays


def changed(values: np.ndarray, index: int | tuple[int, ...], value: float) -> np.ndarray:
    values = values.copy()
    values[index] = value
    return values


def test_regressor_can_be_exchanged(body_arrays: BodyArrays) -> None:
    regressor = np.full((17, 6890), 1 / 6890)
    assert body_arrays.with_regressor(regressor).J_regressor_h36m is regressor


@pytest.mark.parametrize(
    ("name", "change", "complaint"),
    [
        pytest.param("v_template", lambda v: v[:10], r"\(6890, 3\), got \(10, 3\)", id="shape"),
        pytest.param("shapedirs", lambda v: v[..., :9], r"\(6890, 3, 10\)", id="nine betas"),
        pytest.param("faces", lambda v: v.astype(float), "integer type", id="kind"),
        pytest.param("v_template", lambda v: changed(v, 5, np.nan), "finite", id="not a number"),
        pytest.param("weights", lambda v: v * 0.9, "sum to one", id="weights' sum"),
        pytest.param("weights", lambda v: v - 0.1, "smallest weight", id="negative weight"),
        pytest.param("parents", lambda v: changed(v, 3, 7), "earlier joint", id="child first"),
        pytest.param("parents", lambda v: changed(v, 0, 0), "-1 for the first", id="no root"),
        pytest.param("parents", lambda v: changed(v, 9, -1), "earlier joint", id="two roots"),
        pytest.param("faces", lambda v: changed(v, 0, 6890), "index the 6890", id="beyond"),
        pytest.param("J_regressor_h36m", lambda v: v[:14], r"\(17, 6890\)", id="14 joints"),
    ],
)
def test_broken_arrays_are_refused(
    body_arrays: BodyArrays, name: str, change: Callable[[np.ndarray], np.ndarray], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        replace(body_arrays, **{name: change(getattr(body_arrays, name))})
