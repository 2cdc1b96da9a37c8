"""Pickles like those that SMPL was released in: with chumpy objects inside, and of Python 2."""

import pickle
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np


class Ch:
    """Is pickled like `chumpy.ch.Ch`: its attributes without two that cannot be pickled."""

    def __init__(self, **terms: object) -> None:
        self.__dict__.update(terms)
        self._dirty_vars: set[str] = set()
        self._itr = None
        self._parents: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
        self._cache = {"r": None, "drs": WeakKeyDictionary()}
        self._depends_on_deps: dict[str, object] = {}

    def __getstate__(self) -> dict[str, object]:
        return {k: v for k, v in self.__dict__.items() if k not in ("_parents", "_cache")}


class Select(Ch):
    """Is pickled like `chumpy.reordering.Select`."""


class Reshape(Ch):
    """Is pickled like `chumpy.reordering.Reshape`."""


class MatVecMult(Ch):
    """Is pickled like `chumpy.ch.MatVecMult`, which needs chumpy."""


@contextmanager
def chumpy_importable() -> Iterator[None]:
    """Make these classes picklable under chumpy's names within the context."""
    places = {Ch: "chumpy.ch", MatVecMult: "chumpy.ch"}
    places |= {Select: "chumpy.reordering", Reshape: "chumpy.reordering"}
    assert "chumpy" not in sys.modules
    try:
        for kind, name in places.items():
            sys.modules.setdefault("chumpy", ModuleType("chumpy"))
            module = sys.modules.setdefault(name, ModuleType(name))
            setattr(module, kind.__name__, kind)
            kind.__module__ = name
        yield
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "chumpy"]:
            del sys.modules[name]


def python2_pickle(arrays: dict[str, np.ndarray]) -> bytes:
    """Write arrays as Python 2 did: strings of bytes, NumPy under its old names."""
    items = b"".join(_string(name.encode()) + _array(values) for name, values in arrays.items())
    return pickle.PROTO + b"\x02" + b"}(" + items + b"u."


def _string(value: bytes) -> bytes:
    return pickle.BINSTRING + struct.pack("<i", len(value)) + value


def _integer(value: int) -> bytes:
    return pickle.BININT + struct.pack("<i", value)


def _array(values: np.ndarray) -> bytes:
    shape = b"(" + b"".join(map(_integer, values.shape)) + b"t"
    dtype = (
        b"cnumpy\ndtype\n(" + _string(values.dtype.str[1:].encode()) + _integer(0) + _integer(1)
    ) + b"tR("
    dtype += (
        _integer(3) + _string(b"<") + b"NNN" + _integer(-1) + _integer(-1) + _integer(0) + b"tb"
    )
    empty = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n("
    empty += _integer(0) + b"t" + _string(b"b") + b"tR"
    state = b"(" + _integer(1) + shape + dtype + b"\x89" + _string(values.tobytes()) + b"tb"
    return empty + state
