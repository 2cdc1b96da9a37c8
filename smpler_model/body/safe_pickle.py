"""Reads SMPL's pickles without executing them and without chumpy.

A pickle names functions and classes to call. Only NumPy's array constructors are allowed here;
sparse matrices and chumpy's expressions are recorded and converted into arrays by this module.
Everything else is refused.
"""

import math
import pickle
import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray


class UnsafePickleError(ValueError):
    """A pickle contains something other than arrays."""


class Recorded:
    """Stands for an object of a class that is not imported; keeps only its state."""

    origin = ""

    def __new__(cls, *_: object) -> "Recorded":
        """Create one, whatever the arguments."""
        return super().__new__(cls)

    def __setstate__(self, state: object) -> None:
        self.state = state if isinstance(state, dict) else {}


def load_pickle(path: Path) -> dict[str, Any]:
    """Read a pickled dictionary of arrays, from Python 2 or 3.

    Returns:
        Its entries; `array_from_pickled` converts those that are not arrays yet.

    Raises:
        UnsafePickleError: it contains something other than arrays.
        ValueError: it is damaged, or not a dictionary.
    """
    with path.open("rb") as file:
        try:
            _check_places(file, path.stat().st_size)
            content = _ArrayUnpickler(file, encoding="latin1").load()
        except UnsafePickleError as error:
            raise UnsafePickleError(f"{path} {error}") from None
        except Exception as error:  # a damaged pickle can raise any error
            raise ValueError(
                f"{path} must be a pickle, got a file that cannot be read as one "
                f"({type(error).__name__}); it is truncated or of another kind, get it again"
            ) from error
    most = path.stat().st_size
    values = content.values() if isinstance(content, dict) else ()
    if any(isinstance(value, np.ndarray) and value.nbytes > most for value in values):
        raise ValueError(
            f"{path} must contain its arrays, got one that is larger than the file; get it again"
        )
    if not isinstance(content, dict):
        raise ValueError(
            f"{path} must hold a dictionary, got a {type(content).__name__}; give a SMPL file"
        )
    return content


def _check_places(file: IO[bytes], size: int) -> None:
    """Refuse a pickle whose memo indices are larger than a file of its size needs.

    Python's unpickler allocates memory for all smaller indices. The file is left at its start.
    """
    for opcode, number, _ in pickletools.genops(file):
        if opcode.name.endswith("PUT") and isinstance(number, int) and number > size:
            raise pickle.UnpicklingError(f"object number {number} in {size} bytes")
    file.seek(0)


def array_from_pickled(value: object) -> NDArray[Any]:
    """Convert a value from a pickle into an array.

    Args:
        value: an array, or a recorded sparse matrix or chumpy expression.

    Raises:
        ValueError: it is a chumpy expression that needs chumpy, or no array at all.
    """
    try:
        return _array_from(value)
    except RecursionError as error:
        raise ValueError("an expression contains itself; the file is damaged") from error


def _array_from(value: object) -> NDArray[Any]:
    if isinstance(value, np.ndarray):
        return value
    if not isinstance(value, Recorded):
        raise ValueError(
            f"an array was expected, got a {type(value).__name__}; the file is damaged"
        )
    name, state = value.origin.rpartition(".")[2], value.state
    try:
        if name in _SPARSE:
            return _dense(_SPARSE[name], state)
        if name in _CHUMPY:
            return _CHUMPY[name](state)
    except (KeyError, TypeError, IndexError, ValueError, AttributeError, OverflowError) as error:
        raise ValueError(f"{value.origin} cannot be read: {error}; the file is damaged") from error
    raise ValueError(f"{value.origin} cannot be read without chumpy; save it as a plain array")


def _dense(form: Callable[..., Any], state: dict[str, Any]) -> NDArray[Any]:
    shape = tuple(int(size) for size in state["_shape"])
    if len(shape) != 2 or not 0 <= math.prod(shape) <= _MOST_ENTRIES:
        raise ValueError(f"a matrix of {shape} is larger than any of SMPL's")
    if form is scipy.sparse.coo_matrix:
        places = state["coords"] if "coords" in state else (state["row"], state["col"])
        matrix = form((state["data"], tuple(places)), shape=shape)  # checks the indices itself
    else:
        matrix = form((state["data"], state["indices"], state["indptr"]), shape=shape)
        matrix.check_format(full_check=True)  # indices out of range would be read out of bounds
    dense: NDArray[Any] = matrix.toarray()
    return dense


def _constant(state: dict[str, Any]) -> NDArray[Any]:
    return _array_from(state["x"])


def _selection(state: dict[str, Any]) -> NDArray[Any]:
    chosen = _array_from(state["a"]).ravel()[state["idxs"]]
    selected: NDArray[Any] = chosen.reshape(state.get("preferred_shape", chosen.shape))
    return selected


def _reshaped(state: dict[str, Any]) -> NDArray[Any]:
    return _array_from(state["a"]).reshape(state["newshape"])


_SPARSE = {
    f"{form}_{kind}": getattr(scipy.sparse, f"{form}_matrix")
    for form in ("coo", "csc", "csr")
    for kind in ("matrix", "array")
}
_MOST_ENTRIES = 50_000_000  # of a dense matrix; SMPL's regressor has 165,360
_CHUMPY = {"Ch": _constant, "Select": _selection, "Reshape": _reshaped}


def _reconstruct_recorded(kind: type, base: type, _: object) -> Recorded:
    """Replaces `copyreg._reconstructor`, with which old protocols create objects."""
    if not (issubclass(kind, Recorded) and base is object):
        raise UnsafePickleError(f"must hold arrays only, got an object of {kind.__name__}")
    return kind()


def _encode_latin1(text: str, encoding: str) -> bytes:
    """Replaces `codecs.encode`, with which Python 3 pickles bytes for Python 2."""
    if encoding != "latin1":
        raise UnsafePickleError(f"must hold bytes as latin1, got {encoding}")
    return text.encode("latin1")


def _no_bytes(*arguments: object) -> bytes:
    """Replaces `bytes`, with which old protocols create empty bytes; a size would take memory."""
    if arguments:
        raise UnsafePickleError("must hold bytes as such, got a call of bytes")
    return b""


# NumPy's constructors have moved between versions; this call returns the current ones.
_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): np.zeros(1).__reduce__()[0],
    ("numpy.core.multiarray", "scalar"): np.float64(0).__reduce__()[0],
    ("numpy.core.numeric", "_frombuffer"): np.zeros(1).__reduce_ex__(5)[0],
    ("_codecs", "encode"): _encode_latin1,
    ("copyreg", "_reconstructor"): _reconstruct_recorded,
    ("builtins", "object"): object,
    ("builtins", "bytes"): _no_bytes,
    ("builtins", "set"): set,
}
_RENAMED = {"__builtin__": "builtins", "copy_reg": "copyreg"}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401
        current = _RENAMED.get(module, module).replace("numpy._core", "numpy.core")
        if (current, name) in _ALLOWED:
            return _ALLOWED[current, name]
        if module.split(".")[0] == "chumpy" or module.startswith("scipy.sparse"):
            return type(name, (Recorded,), {"origin": f"{module}.{name}"})
        raise UnsafePickleError(
            f"must hold arrays only, got a reference to {module}.{name}; it was not executed, "
            "get the file from its source again"
        )
