import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

from smpler_model.body.safe_pickle import UnsafePickleError, array_from_pickled, load_pickle
from tests.chumpy_stand_in import (
    Ch,
    MatVecMult,
    Reshape,
    Select,
    chumpy_importable,
    python2_pickle,
)

VALUES = np.arange(12.0).reshape(3, 4)
SPARSE = np.where(VALUES > 8, VALUES, 0)


class Call:
    """Unpickling it calls a function."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def write(path: Path, content: object, protocol: int = 2) -> Path:
    with chumpy_importable():
        path.write_bytes(pickle.dumps(content, protocol))
    return path


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(VALUES, VALUES, id="array"),
        pytest.param(np.asfortranarray(VALUES), VALUES, id="Fortran order"),
        pytest.param(VALUES.astype(np.uint32), VALUES, id="integers"),
        pytest.param(np.zeros((0, 3)), np.zeros((0, 3)), id="empty"),
        pytest.param(scipy.sparse.csc_matrix(SPARSE), SPARSE, id="sparse columns"),
        pytest.param(scipy.sparse.csr_matrix(SPARSE), SPARSE, id="sparse rows"),
        pytest.param(Ch(x=VALUES), VALUES, id="chumpy constant"),
        pytest.param(
            Select(a=Ch(x=VALUES), idxs=np.array([5, 1]), preferred_shape=(1, 2)),
            [[5.0, 1.0]],
            id="chumpy selection",
        ),
        pytest.param(
            Reshape(a=Select(a=VALUES, idxs=np.arange(6)), newshape=(2, 3)),
            np.arange(6.0).reshape(2, 3),
            id="chumpy expression of another",
        ),
    ],
)
def test_arrays_of_all_kinds_are_read(
    tmp_path: Path, value: object, expected: np.ndarray, protocol: int
) -> None:
    content = load_pickle(write(tmp_path / "arrays.pkl", {"v": value, "name": "x"}, protocol))
    assert content["name"] == "x"
    assert np.array_equal(array_from_pickled(content["v"]), expected)


def test_pickles_of_python_2_are_read(tmp_path: Path) -> None:
    path = tmp_path / "old.pkl"
    arrays = {"f": np.array([[0, 1, 4294967295]], np.uint32), "v": VALUES / 7}
    path.write_bytes(python2_pickle(arrays))
    content = load_pickle(path)
    assert list(content) == ["f", "v"]
    assert all(np.array_equal(content[name], values) for name, values in arrays.items())


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("nested", [False, True])
def test_code_is_not_executed(tmp_path: Path, protocol: int, nested: bool) -> None:
    witness = tmp_path / "witness"
    hostile: object = Call(os.system, f"touch {witness}")
    content = {"v_template": Ch(x=[hostile])} if nested else hostile
    path = write(tmp_path / "hostile.pkl", content, protocol)
    with pytest.raises(UnsafePickleError, match=r"reference to \w+.system; it was not executed"):
        load_pickle(path)
    assert not witness.exists()


@pytest.mark.parametrize(
    "function", [eval, getattr, __import__, open, np.load, np.save, pickle.loads]
)
def test_other_functions_are_refused(tmp_path: Path, function: Callable[..., object]) -> None:
    path = write(tmp_path / "hostile.pkl", {"v": Call(function, "x")})
    with pytest.raises(UnsafePickleError, match="must hold arrays only"):
        load_pickle(path)


def test_sparse_matrix_out_of_bounds_is_refused(tmp_path: Path) -> None:
    matrix = scipy.sparse.csc_matrix(SPARSE)
    matrix.indices[0] = 10**6
    content = load_pickle(write(tmp_path / "reaching.pkl", {"v": matrix}))
    with pytest.raises(ValueError, match="indices"):
        array_from_pickled(content["v"])


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        pytest.param(MatVecMult(a=1), "chumpy.ch.MatVecMult cannot be read without", id="other"),
        pytest.param(Ch(), "chumpy.ch.Ch cannot be read: 'x'", id="constant without a value"),
        pytest.param("text", "an array was expected, got a str", id="text"),
    ],
)
def test_values_that_are_no_arrays_are_refused(
    tmp_path: Path, value: object, complaint: str
) -> None:
    content = load_pickle(write(tmp_path / "odd.pkl", {"v": value}))
    with pytest.raises(ValueError, match=complaint):
        array_from_pickled(content["v"])


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(pickle.dumps({"v": VALUES})[:-20], "is truncated", id="truncated"),
        pytest.param(b"", "is truncated", id="empty"),
        pytest.param(b"just text", "of another kind", id="text"),
        pytest.param(pickle.dumps([VALUES]), "must hold a dictionary, got a list", id="list"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "damaged.pkl"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=complaint):
        load_pickle(path)


def test_calls_that_allocate_memory_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "bytes.pkl", {"v": Call(bytes, 10**11)})
    with pytest.raises(UnsafePickleError, match="got a call of bytes"):
        load_pickle(path)
    path = write(tmp_path / "array.pkl", {"v": Call(np.ndarray, (10**9,))})
    with pytest.raises(ValueError, match="larger than the file"):
        load_pickle(path)
    wide = scipy.sparse.csc_matrix(([1.0], ([0], [0])), shape=(10**6, 10**6))
    content = load_pickle(write(tmp_path / "wide.pkl", {"v": wide}))
    with pytest.raises(ValueError, match="larger than any of SMPL's"):
        array_from_pickled(content["v"])
