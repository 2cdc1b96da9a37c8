"""Marching tetrahedra: a closed triangle mesh of an implicit shape on a rectilinear grid.

Doi and Koide, "An efficient method of triangulating equi-valued surfaces by using tetrahedral
cells", 1991. Every cell is cut into the same six tetrahedra around its main diagonal, so there is
no ambiguous case and the mesh is a manifold whatever the shape.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats, Integers
from synthetic.body.primitives import Shape


def _tetrahedra(shape: tuple[int, int, int]) -> Integers:
    """Return the node numbers (t, 4) of all tetrahedra, each positively oriented."""
    strides = (shape[1] * shape[2], shape[2], 1)
    nodes = np.arange(shape[0] * shape[1] * shape[2]).reshape(shape)
    corner = nodes[:-1, :-1, :-1].ravel()
    cells = []
    for order in itertools.permutations(range(3)):
        path = np.cumsum([0, *(strides[axis] for axis in order)])
        if np.linalg.det(np.eye(3)[list(order)]) < 0:
            path = path[[0, 1, 3, 2]]
        cells.append(corner[:, None] + path)
    return np.concatenate(cells)


def _cut(tetrahedra: Integers, inside: NDArray[np.bool_]) -> Integers:
    """Triangles (m, 3, 2): each corner lies on the grid edge between two nodes."""
    flags = inside[tetrahedra]
    case = flags @ np.array([1, 2, 4, 8])
    triangles = []
    for members in range(1, 15):
        rows = tetrahedra[case == members]
        within = [i for i in range(4) if members >> i & 1]
        without = [i for i in range(4) if not members >> i & 1]
        parity = np.linalg.det(np.eye(4)[within + without]) < 0
        if len(within) == 2:
            (a, b), (c, d) = within, without
            loop = [(a, c), (a, d), (b, d), (b, c)]
            faces = [loop[:3], [loop[0], loop[2], loop[3]]]
        elif len(within) == 1:
            faces = [[(within[0], other) for other in without]]
        else:
            faces = [[(other, without[0]) for other in within]]
        for face in faces:
            corners = face if not parity else face[::-1]
            triangles.append(np.stack([rows[:, list(pair)] for pair in corners], axis=1))
    return np.concatenate(triangles)


def contour(shape: Shape, x: Floats, y: Floats, z: Floats) -> tuple[Floats, Integers]:
    """Mesh the zero level of a shape.

    Args:
        shape: The implicit function.
        x: Increasing grid coordinates, m; likewise `y` and `z`. Where the shape reaches the
            grid's border the mesh is open there.
        y: See `x`.
        z: See `x`.

    Returns:
        Vertices (n, 3), m, and triangles (m, 3) that wind counter-clockwise seen from outside.
    """
    points = np.stack(np.meshgrid(x, y, z, indexing="ij"), axis=-1).reshape(-1, 3)
    value = shape(points)
    value = np.where(np.abs(value) < 1e-9, 1e-9, value)
    corners = np.sort(_cut(_tetrahedra((len(x), len(y), len(z))), value < 0), axis=-1)
    keys = corners[..., 0] * len(points) + corners[..., 1]
    unique, numbers = np.unique(keys, return_inverse=True)
    low, high = np.divmod(unique, len(points))
    share = value[low] / (value[low] - value[high])
    vertices = points[low] + share[:, None] * (points[high] - points[low])
    return vertices, numbers.reshape(keys.shape)
