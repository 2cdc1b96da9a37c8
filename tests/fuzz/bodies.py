"""Files of bodies."""

import io
import pickle
from pathlib import Path

import numpy as np
import scipy.sparse

from smpler_model.body.archives import read_npz
from smpler_model.body.safe_pickle import array_from_pickled, load_pickle
from tests.fuzz.mutations import mutate_bytes
from tests.fuzz.target import Target, on_file

_NAMES = ("v_template", "weights")


def archive() -> Target:
    """A `.npz` file."""
    return Target(on_file(_read_archive, "body.npz"), _archives(), mutate_bytes)


def pickled() -> Target:
    """SMPL's pickles, with sparse matrices."""
    return Target(on_file(_read_pickle, "body.pkl"), _pickles(), mutate_bytes)


def _read_archive(path: Path) -> object:
    return read_npz(path, _NAMES)


def _read_pickle(path: Path) -> object:
    return [array_from_pickled(value) for value in load_pickle(path).values()]


def _archives() -> list[bytes]:
    written = []
    for save in (np.savez, np.savez_compressed):
        stream = io.BytesIO()
        save(stream, v_template=np.zeros((5, 3)), weights=np.eye(4, dtype=np.float32))
        written.append(stream.getvalue())
    return written


def _pickles() -> list[bytes]:
    content = {
        "v_template": np.zeros((5, 3)),
        "J_regressor": scipy.sparse.csc_matrix(np.eye(3)),
        "weights": scipy.sparse.coo_matrix(np.eye(3)),
    }
    return [pickle.dumps(content, protocol) for protocol in (0, 2, 4)]
