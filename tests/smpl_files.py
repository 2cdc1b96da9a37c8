"""Bodies written in the layout of SMPL's own files."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from smpler_model.body.arrays import BodyArrays


def save_smpl_npz(arrays: BodyArrays, path: Path) -> None:
    """Write a body as an archive."""
    np.savez(path, **_layout_of(arrays))


def save_smpl_pickle(arrays: BodyArrays, path: Path) -> None:
    """Write a body as a pickle of plain arrays, which `smplx` reads as well."""
    path.write_bytes(pickle.dumps(_layout_of(arrays), protocol=2))


def _layout_of(arrays: BodyArrays) -> dict[str, Any]:
    parents = arrays.parents.astype(np.int64) % 2**32
    layout: dict[str, Any] = {
        "v_template": arrays.v_template,
        "f": arrays.faces.astype(np.uint32),
        "weights": arrays.weights,
        "J_regressor": arrays.J_regressor,
        "shapedirs": arrays.shapedirs,
        "posedirs": arrays.posedirs,
        "kintree_table": np.stack((parents, np.arange(len(parents)))).astype(np.uint32),
    }
    if arrays.J_regressor_h36m is not None:
        layout["J_regressor_h36m"] = arrays.J_regressor_h36m
    return layout
