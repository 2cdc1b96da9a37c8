"""Generate the built-in body: `python -m synthetic.body.generator [path]`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats, Integers
from smpler_model.atomic_files import write_atomically
from smpler_model.body.builtin import BUILTIN_BODY_PATH
from synthetic.body.contour import contour
from synthetic.body.correctives import pose_correctives
from synthetic.body.regressor import h36m_regressor, joint_regressor
from synthetic.body.remesh import remesh
from synthetic.body.shapes import shape_directions
from synthetic.body.skeleton import join_halves, joint_centres, kintree_table
from synthetic.body.skinning import skinning_weights
from synthetic.body.surface import BodySurface, edge_length

VERTICES = 6890

# Grid lines (start, end, cells): finer where the face, the fingers and the toes are.
_GRID_X = ((0.0, 0.1, 12), (0.1, 0.68, 28), (0.68, 0.9, 36))
_GRID_Y = (
    (-1.18, -1.07, 14),
    (-1.07, 0.17, 52),
    (0.17, 0.25, 14),
    (0.25, 0.31, 4),
    (0.31, 0.56, 26),
)
_GRID_Z = ((-0.16, -0.1, 5), (-0.1, 0.06, 32), (0.06, 0.14, 10), (0.14, 0.2, 6))


def _lines(spans: tuple[tuple[float, float, int], ...]) -> Floats:
    parts = [np.linspace(start, end, cells, endpoint=False) for start, end, cells in spans]
    return np.concatenate([*parts, [spans[-1][1]]])


def build_mesh() -> tuple[Floats, Integers, Integers]:
    """Return vertices (6890, 3), m, triangles (13776, 3) and mirror permutation (6890,)."""
    surface = BodySurface.assemble()
    points, faces = contour(surface, _lines(_GRID_X), _lines(_GRID_Y), _lines(_GRID_Z))
    half = remesh(surface, points, faces, wanted=edge_length, vertices=VERTICES, passes=7)
    return join_halves(*half)


def build_body(points: Floats, faces: Integers, mirror: Integers) -> dict[str, NDArray[Any]]:
    """Return all arrays of SMPL's file layout for a mesh in the rest pose.

    Args:
        points: Vertices (6890, 3), m.
        faces: Triangles (13776, 3).
        mirror: Mirror permutation (6890,).

    Returns:
        SMPL's arrays `v_template`, `f`, `weights`, `J_regressor`, `shapedirs`, `posedirs` and
        `kintree_table`, and in addition `J_regressor_h36m` (17, 6890), `mirror` (6890,), and the
        joints that the regressor was fitted to: `joint_centres` (24, 3) and `joint_shapedirs`
        (24, 3, 10), m.
    """
    joints = joint_centres()
    weights = skinning_weights(points, faces, mirror, joints)
    shapes, joint_shapes = shape_directions(points, faces, weights, joints)
    shapes = symmetrise(shapes, mirror)
    regressor = joint_regressor(points, shapes, mirror, joints, joint_shapes)
    return {
        "v_template": points.astype(np.float32),
        "f": faces.astype(np.uint32),
        "weights": weights.astype(np.float32),
        "J_regressor": regressor.astype(np.float32),
        "J_regressor_h36m": h36m_regressor(points, mirror, regressor).astype(np.float32),
        "shapedirs": _quantise(shapes),
        "posedirs": _quantise(pose_correctives(points, weights, joints)),
        "kintree_table": kintree_table(),
        "mirror": mirror.astype(np.int32),
        "joint_centres": joints.astype(np.float32),
        "joint_shapedirs": joint_shapes.astype(np.float32),
    }


def _quantise(values: Floats) -> NDArray[np.float32]:
    """Round to 2^-16 m, 15 micrometres, which compresses to a third."""
    return (np.round(values * 2**16) / 2**16).astype(np.float32)


def symmetrise(fields: Floats, mirror: Integers) -> Floats:
    """Copy the left half's vectors (v, 3, k) to the right half; on the seam, x is zero."""
    side = np.array([-1.0, 1.0, 1.0])[:, None]
    left = np.arange(len(fields)) <= mirror
    result = np.where(left[:, None, None], fields, fields[mirror] * side)
    result[mirror == np.arange(len(mirror)), 0] = 0.0
    return result


def main() -> None:
    """Write the body to a file."""
    parser = argparse.ArgumentParser(description="Generate the built-in body.")
    parser.add_argument("path", nargs="?", type=Path, default=BUILTIN_BODY_PATH)
    path: Path = parser.parse_args().path
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = build_body(*build_mesh())
    write_atomically(path, lambda file: np.savez_compressed(file, **arrays))


if __name__ == "__main__":
    main()
