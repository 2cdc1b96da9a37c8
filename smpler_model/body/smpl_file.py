"""SMPL's own files: `.pkl` as released, for Python 2, with or without chumpy inside, and `.npz`.

`smplx` is not used, because it executes pickled code, needs chumpy, and is licensed for
non-commercial research.
"""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import AnyFloats
from smpler_model.body.archives import read_npz
from smpler_model.body.arrays import BodyArrays
from smpler_model.body.safe_pickle import array_from_pickled, load_pickle
from smpler_model.body.skeleton import SMPL_SHAPE_COUNT

Gender = Literal["neutral", "male", "female"]

_REQUIRED = (
    "v_template",
    "f",
    "weights",
    "J_regressor",
    "shapedirs",
    "posedirs",
    "kintree_table",
)
_H36M = "J_regressor_h36m"
_SUFFIXES = (".npz", ".pkl")
_DIMENSIONS = {"kintree_table": 2, "f": 2, "shapedirs": 3, "posedirs": 3}
_RELATIVES: dict[tuple[int, ...], str] = {
    (6890, 52): "SMPL-H",
    (10475, 55): "SMPL-X",
    (5023, 5): "FLAME",
    (778, 16): "MANO",
}
"""Numbers of vertices and joints of related models with the same file layout."""

_FILE_NAMES: dict[Gender, tuple[str, str]] = {
    "neutral": ("basicmodel_neutral_lbs", "smpl_neutral"),
    "male": ("basicmodel_m_lbs", "smpl_male"),
    "female": ("basicmodel_f_lbs", "smpl_female"),
}
"""Prefixes of released file names, and the names that `smplx` expects; in lower case."""

_ROOT = 2**32 - 1
"""SMPL's mark for "no parent": -1 as an unsigned number."""


def load_chosen_body(path: str | Path | None, gender: Gender) -> BodyArrays | None:
    """Read the chosen body: a file, or one from a folder by gender; None if no path is given.

    Raises:
        ValueError: a file that does not fit, or a gender without a folder.
        FileNotFoundError: there is no such file.
    """
    if path:
        return load_smpl_file(path, gender=gender)
    _check_choice(gender, "no body")
    return None


def load_smpl_file(
    path: str | Path, regressor: AnyFloats | None = None, *, gender: Gender = "neutral"
) -> BodyArrays:
    """Read a body from a SMPL file; neutral, male and female bodies are separate files.

    Shape directions beyond the tenth are dropped.

    Args:
        path: `.pkl`, read without executing its code and without chumpy, or `.npz`; or a folder
            with such files under their released names, or those that `smplx` expects.
        regressor: (17, 6890) joints of `skeleton.H36M_JOINTS`, such as
            `J_regressor_h36m_correct.npy`; if None, the file's own, if it has one.
        gender: which of the files in a folder to read.

    Raises:
        ValueError: the file is damaged, unsafe, or no SMPL model, or a gender is given but `path`
            is not a folder.
        FileNotFoundError: there is no such file.
    """
    path = Path(path)
    if path.is_dir():
        path = find_smpl_file(path, gender)
    elif path.is_file():
        _check_choice(gender, f"the file {path}")
    if not path.is_file():
        raise FileNotFoundError(
            f"a SMPL file must be a file, got {path}; give the path of an existing .pkl or "
            ".npz file"
        )
    if path.suffix not in _SUFFIXES:
        raise ValueError(f"a SMPL file must be .pkl or .npz, got {path.name}")
    _check_beginning(path)
    names = (*_REQUIRED, _H36M)
    content = read_npz(path, names) if path.suffix == ".npz" else load_pickle(path)
    missing = [name for name in _REQUIRED if name not in content]
    if missing:
        raise ValueError(
            f"{path} must hold {', '.join(_REQUIRED)}, got no {', '.join(missing)}; "
            "give a SMPL model file"
        )
    try:
        arrays = {name: array_from_pickled(content[name]) for name in _REQUIRED}
        _check_family(arrays)
        if regressor is None and _H36M in content:
            regressor = array_from_pickled(content[_H36M])
        return _arrays_from_layout(arrays, regressor)
    except ValueError as error:
        raise ValueError(f"{path} holds no SMPL body: {error}") from error


def find_smpl_file(folder: Path, gender: Gender) -> Path:
    """Return the SMPL file of a gender in a folder.

    Raises:
        FileNotFoundError: there is none, or more than one.
    """
    released, renamed = _FILE_NAMES[gender]
    found = [
        file
        for file in sorted(folder.iterdir())
        if file.suffix in _SUFFIXES and _is_of(file, gender)
    ]
    others = [
        other
        for other in _FILE_NAMES
        if any(file.suffix in _SUFFIXES and _is_of(file, other) for file in folder.iterdir())
    ]
    if not found and others:
        raise FileNotFoundError(
            f"{folder} must hold one {gender} SMPL file, got {' and '.join(others)} ones; set "
            f"gender to {others[0]}, or add the {gender} file"
        )
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "none"
        rest = "" if gender == "neutral" else " and leave gender neutral"
        raise FileNotFoundError(
            f"{folder} must hold one {gender} SMPL file, {renamed.upper()}.pkl or .npz or "
            f"{released}*.pkl, got {names}; give the file itself{rest}"
        )
    return found[0]


def _is_of(file: Path, gender: Gender) -> bool:
    released, renamed = _FILE_NAMES[gender]
    return file.stem.lower() == renamed or file.stem.lower().startswith(released)


def _check_beginning(path: Path) -> None:
    """Refuse files that failed downloads leave behind.

    Raises:
        ValueError: it is a web page or a Git LFS pointer.
    """
    with path.open("rb") as file:
        beginning = file.read(200).lstrip().lower()
    if beginning.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise ValueError(
            f"{path} must be a SMPL file, got a web page; log in at SMPL's site, and download it "
            "there"
        )
    if beginning.startswith(b"version https://git-lfs"):
        raise ValueError(
            f"{path} must be a SMPL file, got a Git LFS pointer; download it with git lfs pull"
        )


def _check_family(arrays: dict[str, NDArray[Any]]) -> None:
    """Refuse related models, whose files have the same arrays in other sizes.

    Raises:
        ValueError: it is one of them.
    """
    vertices, joints = (arrays[name].shape[:1] for name in ("v_template", "J_regressor"))
    relative = _RELATIVES.get((*vertices, *joints))
    if relative:
        raise ValueError(f"it is a {relative} model; download SMPL, version 1.1.0")


def _check_choice(gender: Gender, given: str) -> None:
    """Refuse a gender if there is no folder to choose from."""
    if gender != "neutral":
        raise ValueError(
            f"gender chooses from a folder of SMPL files, got {gender} and {given}; give the "
            "folder as the body, or leave gender neutral"
        )


def _arrays_from_layout(
    arrays: dict[str, NDArray[Any]], regressor: AnyFloats | None
) -> BodyArrays:
    for name, dimensions in _DIMENSIONS.items():
        if arrays[name].ndim != dimensions:
            raise ValueError(f"{name} must have {dimensions} dimensions, got {arrays[name].ndim}")
        if arrays[name].dtype.kind not in "fiu":
            raise ValueError(f"{name} must hold numbers, got {arrays[name].dtype}")
    if not len(arrays["kintree_table"]):
        raise ValueError("kintree_table must hold the joints' parents, got nothing")
    parents = arrays["kintree_table"][0].astype(np.int64)
    return BodyArrays(
        v_template=arrays["v_template"],
        faces=arrays["f"].astype(np.int64),
        weights=arrays["weights"],
        J_regressor=arrays["J_regressor"],
        shapedirs=arrays["shapedirs"][..., :SMPL_SHAPE_COUNT],
        posedirs=arrays["posedirs"],
        parents=np.where(parents == _ROOT, -1, parents),
        J_regressor_h36m=regressor,
    )
