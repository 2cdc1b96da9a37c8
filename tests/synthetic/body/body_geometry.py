"""Measurements of triangle meshes for the tests of the built-in body."""

import numpy as np
from scipy.spatial import cKDTree

from smpler_model.body.skeleton import SMPL_JOINTS

Arrays = dict[str, np.ndarray]


def find_edges(faces: np.ndarray) -> np.ndarray:
    """Return all directed edges (3 f, 2)."""
    return np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])


def find_volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    return float((a * np.cross(b, c)).sum() / 6)


def find_angles(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Return the smallest angle of each triangle, degrees."""
    corners = vertices[faces]
    angles = []
    for corner in range(3):
        u = corners[:, (corner + 1) % 3] - corners[:, corner]
        v = corners[:, (corner + 2) % 3] - corners[:, corner]
        angles.append(np.arctan2(np.linalg.norm(np.cross(u, v), axis=1), (u * v).sum(axis=1)))
    return np.degrees(np.min(angles, axis=0))


def _pierces(start: np.ndarray, end: np.ndarray, triangle: np.ndarray) -> np.ndarray:
    """Return whether segments cross triangles (n, 3, 3), by signs of the tetrahedra's volumes."""

    def side(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
        return np.sign((np.cross(b - a, c - a) * (d - a)).sum(axis=1))

    a, b, c = triangle[:, 0], triangle[:, 1], triangle[:, 2]
    around = [side(start, end, *pair) for pair in ((a, b), (b, c), (c, a))]
    apart = side(a, b, c, start) * side(a, b, c, end) < 0
    return apart & (np.abs(sum(around)) == 3)


def find_intersections(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Return the pairs (n, 2) of triangles that cross, other than along a shared edge.

    Two triangles in general position cross if and only if an edge of one pierces the other. Edges
    that end in a corner of the other triangle are left out: they touch it there.
    """
    corners = vertices[faces]
    centre = corners.mean(axis=1)
    radius = np.linalg.norm(corners - centre[:, None], axis=2).max(axis=1)
    near = cKDTree(centre).query_ball_point(centre, 2 * radius)
    first = np.repeat(np.arange(len(faces)), [len(row) for row in near])
    second = np.concatenate([np.array(row, dtype=int) for row in near])
    low, high = corners.min(axis=1), corners.max(axis=1)
    # A pair is found from its larger triangle, whose circle reaches the smaller one's centre.
    order = (radius[second] < radius[first]) | (
        (radius[second] == radius[first]) & (second < first)
    )
    overlap = (low[first] <= high[second]).all(axis=1) & (low[second] <= high[first]).all(axis=1)
    first, second = first[order & overlap], second[order & overlap]
    hit = np.zeros(len(first), bool)
    for one, other in ((first, second), (second, first)):
        for corner in range(3):
            a, b = faces[one, corner], faces[one, (corner + 1) % 3]
            apart = ~((faces[other] == a[:, None]) | (faces[other] == b[:, None])).any(axis=1)
            hit |= apart & _pierces(vertices[a], vertices[b], corners[other])
    return np.stack([first, second], axis=1)[hit]


def find_joint(arrays: Arrays, vertices: np.ndarray, name: str) -> np.ndarray:
    row: np.ndarray = arrays["J_regressor"][SMPL_JOINTS.index(name)] @ vertices
    return row
