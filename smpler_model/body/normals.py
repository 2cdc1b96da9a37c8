"""Normals of bodies' surfaces."""

import numpy as np
from numpy.typing import ArrayLike

from smpler_model.array_types import Floats


def vertex_normals(vertices: ArrayLike, faces: ArrayLike) -> Floats:
    """Return (v, 3) unit normals: means over each vertex's triangles, weighted by area."""
    points, corners = np.asarray(vertices, np.float64), np.asarray(faces)
    a, b, c = points[corners].transpose(1, 2, 0)
    (ux, uy, uz), (vx, vy, vz) = b - a, c - a
    face_normals = (uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx)
    rows = corners.ravel()
    sums = [np.bincount(rows, np.repeat(n, 3), minlength=len(points)) for n in face_normals]
    normals = np.stack(sums, axis=1)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.asarray(normals / np.where(lengths > 0, lengths, 1))
