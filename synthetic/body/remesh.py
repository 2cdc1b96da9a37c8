"""Remeshes the body's surface into even triangles with an exact number of vertices.

Botsch and Kobbelt, "A remeshing approach to multiresolution modeling", 2004, with a target edge
length that varies over the surface and an exact number of vertices.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from smpler_model.array_types import Floats, Integers
from synthetic.body.primitives import norm
from synthetic.body.surface import BodySurface
from synthetic.body.topology import EditableMesh

EdgeLength = Callable[[Floats], Floats]

# Positions are rounded to this (m) after every pass: the last bits of a sum, which may differ
# between processors, then cannot change a later decision.
_GRAIN = 2.0**-24


def _relative_lengths(mesh: EditableMesh, wanted: EdgeLength) -> tuple[Integers, Floats, Floats]:
    edges = mesh.edges()
    points = np.array(mesh.points)
    middle = (points[edges[:, 0]] + points[edges[:, 1]]) / 2
    target = wanted(middle)
    return edges, norm(points[edges[:, 0]] - points[edges[:, 1]]) / target, target


def _collapse_short(mesh: EditableMesh, wanted: EdgeLength, limit: float) -> int:
    """Collapse edges below `limit` target lengths, shortest first; return their number."""
    edges, ratio, target = _relative_lengths(mesh, wanted)
    order = np.argsort(ratio, kind="stable")
    touched: set[int] = set()
    done = 0
    for number in order[ratio[order] < limit].tolist():
        a, b = edges[number].tolist()
        if a in touched or b in touched:
            continue
        if mesh.collapse(a, b, 1.4 * float(target[number])):
            touched.update((a, b))
            done += 1
    return done


def _split_long(mesh: EditableMesh, wanted: EdgeLength, limit: float) -> None:
    edges, ratio, _ = _relative_lengths(mesh, wanted)
    order = np.argsort(-ratio, kind="stable")
    for number in order[ratio[order] > limit].tolist():
        mesh.split(*edges[number].tolist())


def _relax(mesh: EditableMesh, surface: BodySurface, wanted: EdgeLength, step: float) -> None:
    """Move vertices along the surface towards the weighted mean of the triangles around them."""
    faces = np.array([face for face in mesh.faces if face is not None])
    points = np.array(mesh.points)
    corners = points[faces]
    centre = (corners[:, 0] + corners[:, 1] + corners[:, 2]) / 3
    area = norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
    weight = area / np.square(wanted(centre))
    total = np.zeros(len(points))
    pull = np.zeros_like(points)
    for corner in range(3):
        np.add.at(total, faces[:, corner], weight)
        np.add.at(pull, faces[:, corner], weight[:, None] * centre)
    used = np.flatnonzero(total)
    seam = points[used, 0] == 0.0
    goal = pull[used] / total[used, None]
    goal[seam] = _seam_goal(mesh, points)[used[seam]]
    gradient = surface.gradient(points[used])
    normal = gradient / norm(gradient)[:, None]
    move = goal - points[used]
    along = (move * normal)[:, 0] + (move * normal)[:, 1] + (move * normal)[:, 2]
    moved = points[used] + step * (move - along[:, None] * normal)
    moved = surface.project(moved)
    moved = np.round(moved / _GRAIN) * _GRAIN
    moved[~seam, 0] = np.maximum(moved[~seam, 0], 1e-4)
    moved[seam, 0] = 0.0
    for vertex, (x, y, z) in zip(used.tolist(), moved.tolist(), strict=True):
        mesh.points[vertex] = (x, y, z)


def _seam_goal(mesh: EditableMesh, points: Floats) -> Floats:
    """Return the middle of each seam vertex's two neighbours along the seam, (n, 3)."""
    edges = mesh.edges()
    seam = edges[(points[edges[:, 0], 0] == 0.0) & (points[edges[:, 1], 0] == 0.0)]
    goal = np.zeros_like(points)
    np.add.at(goal, seam[:, 0], points[seam[:, 1]] / 2)
    np.add.at(goal, seam[:, 1], points[seam[:, 0]] / 2)
    return goal


def _count(mesh: EditableMesh) -> tuple[int, int]:
    """Return the numbers of vertices of the whole body (both halves) and on the seam."""
    used = [vertex for vertex, star in enumerate(mesh.star) if star]
    seam = sum(mesh.on_seam(vertex) for vertex in used)
    return 2 * len(used) - seam, seam


def _meet_count(mesh: EditableMesh, wanted: EdgeLength, vertices: int) -> None:
    """Split the longest or collapse the shortest edges until the whole body has `vertices`."""
    while True:
        total, _ = _count(mesh)
        if total == vertices:
            return
        odd = (total - vertices) % 2 == 1
        edges, ratio, target = _relative_lengths(mesh, wanted)
        both = np.array([mesh.on_seam(a) and mesh.on_seam(b) for a, b in edges.tolist()])
        one = np.array([mesh.on_seam(a) or mesh.on_seam(b) for a, b in edges.tolist()])
        allowed = both if odd else ~one
        edges, ratio, target = edges[allowed], ratio[allowed], target[allowed]
        if total < vertices:
            mesh.split(*edges[np.argmax(ratio)].tolist())
            continue
        for number in np.argsort(ratio, kind="stable").tolist():
            a, b = edges[number].tolist()
            if mesh.collapse(a, b, 2.0 * float(target[number])):
                break


def _settle(
    mesh: EditableMesh, surface: BodySurface, wanted: EdgeLength, *, rounds: int, step: float
) -> None:
    for _ in range(rounds):
        mesh.flip_all()
        _relax(mesh, surface, wanted, step)


def _thin_out(mesh: EditableMesh, surface: BodySurface, wanted: EdgeLength) -> EditableMesh:
    """Collapse short edges until hardly any remain."""
    while _collapse_short(mesh, wanted, 0.75) > 0.01 * len(mesh.points):
        mesh = EditableMesh(*mesh.compact())
        _settle(mesh, surface, wanted, rounds=1, step=0.5)
    return mesh


def remesh(
    surface: BodySurface,
    points: Floats,
    faces: Integers,
    *,
    wanted: EdgeLength,
    vertices: int,
    passes: int,
) -> tuple[Floats, Integers]:
    """Replace a mesh of the left half of the body by one with even triangles.

    Args:
        surface: the implicit surface onto which every vertex is projected.
        points: vertices of the half (n, 3), m, open at x = 0 exactly.
        faces: triangles (m, 3).
        wanted: target edge length, m, at points (n, 3), up to a factor that is determined here.
        vertices: number of vertices of the whole body: twice the half minus its seam.
        passes: number of rounds of splitting, collapsing, flipping and relaxing.

    Returns:
        Vertices and triangles of the new half.
    """
    mesh = EditableMesh(points, faces)
    factor = 1.0

    def scaled(places: Floats) -> Floats:
        return factor * wanted(places)

    mesh = _thin_out(mesh, surface, scaled)
    for number in range(passes):
        _split_long(mesh, scaled, 4.0 / 3.0)
        _collapse_short(mesh, scaled, 0.75)
        if number == passes - 1:
            _meet_count(mesh, scaled, vertices)
        mesh = EditableMesh(*mesh.compact())
        _settle(mesh, surface, scaled, rounds=2, step=0.7)
        factor *= float(np.sqrt(_count(mesh)[0] / vertices)) ** 0.7
    _settle(mesh, surface, scaled, rounds=10, step=0.5)
    return mesh.compact()
