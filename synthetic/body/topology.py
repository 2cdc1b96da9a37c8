"""A triangle mesh with local edits: edge collapse, split and flip.

Botsch and Kobbelt, "A remeshing approach to multiresolution modeling", 2004, section 4. The mesh
is a disc whose border, the seam, lies in the plane x = 0: seam vertices stay on it, and every edit
keeps the mesh a manifold.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from smpler_model.array_types import Floats, Integers

Vector = tuple[float, float, float]

LEAST_GAIN = 1.001
"""A flip multiplies the quality of the worse triangle by more than this."""


def _cross(a: Vector, b: Vector, c: Vector) -> Vector:
    ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    return uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx


def _agree(first: Vector, second: Vector, cosine: float) -> bool:
    dot = first[0] * second[0] + first[1] * second[1] + first[2] * second[2]
    square_first = first[0] * first[0] + first[1] * first[1] + first[2] * first[2]
    square_second = second[0] * second[0] + second[1] * second[1] + second[2] * second[2]
    return dot > cosine * math.sqrt(square_first * square_second)


def _distance(a: Vector, b: Vector) -> float:
    dx, dy, dz = a[0] - b[0], a[1] - b[1], a[2] - b[2]
    return math.sqrt(dx * dx + dy * dy + dz * dz)


def triangle_quality(a: Vector, b: Vector, c: Vector) -> float:
    """Return area over the sum of squared sides, 1 if equilateral, 0 if flat."""
    return _quality(_cross(a, b, c), _sides(a, b, c))


def _sides(a: Vector, b: Vector, c: Vector) -> Vector:
    return _distance(a, b), _distance(b, c), _distance(c, a)


def _quality(normal: Vector, sides: Vector) -> float:
    area = math.sqrt(normal[0] * normal[0] + normal[1] * normal[1] + normal[2] * normal[2])
    squares = sides[0] ** 2 + sides[1] ** 2 + sides[2] ** 2
    return 2.0 * math.sqrt(3.0) * area / max(squares, 1e-30)


def _qualities(a: Floats, b: Floats, c: Floats) -> Floats:
    """Return `triangle_quality` of triangles with corners (n, 3), but for rounding."""
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    sides = sum(np.square(q - p).sum(1) for p, q in ((a, b), (b, c), (c, a)))
    return np.asarray(2 * math.sqrt(3.0) * area / np.maximum(sides, 1e-30), np.float64)


def _weigh_flips(
    points: Floats, faces: Integers
) -> Iterator[tuple[tuple[int, int], tuple[int, int], bool]]:
    """Yield the inner edges, sorted, their two triangles, and whether a flip might improve them.

    Args:
        points: (n, 3) vertices.
        faces: (m, 3) vertices of the triangles; -1 for one that was removed.
    """
    u, v, w = (np.roll(faces, -corner, 1).T.ravel() for corner in range(3))
    owner = np.tile(np.arange(len(faces)), 3)
    forward, backward = np.flatnonzero(u < v), np.flatnonzero(u > v)
    n = len(points)
    _, left, right = np.intersect1d(
        u[forward] * n + v[forward], v[backward] * n + u[backward], return_indices=True
    )
    left, right = forward[left], backward[right]
    a, b, c, d = (points[rows] for rows in (u[left], v[left], w[left], w[right]))
    before = np.minimum(_qualities(a, b, c), _qualities(b, a, d))
    after = np.minimum(_qualities(a, d, c), _qualities(d, b, c))
    may = after > before * (LEAST_GAIN - 1e-9)
    edges, triangles = np.stack((u[left], v[left]), 1), np.stack((owner[left], owner[right]), 1)
    yield from zip(edges.tolist(), triangles.tolist(), may.tolist(), strict=True)


class EditableMesh:
    """Vertices, triangles and the triangles around each vertex.

    `points` lists positions in m, `faces` vertex triples (None for a removed face), `star` the
    face numbers at each vertex (empty for a removed vertex).
    """

    def __init__(self, points: Floats, faces: Integers) -> None:
        self.points: list[Vector] = [(p[0], p[1], p[2]) for p in points.tolist()]
        self.faces: list[tuple[int, int, int] | None] = [(a, b, c) for a, b, c in faces.tolist()]
        self.star: list[set[int]] = [set() for _ in self.points]
        for number, face in enumerate(faces.tolist()):
            for vertex in face:
                self.star[vertex].add(number)

    def face(self, number: int) -> tuple[int, int, int]:
        """Return the vertices of an existing face."""
        face = self.faces[number]
        if face is None:
            raise KeyError(number)
        return face

    def on_seam(self, vertex: int) -> bool:
        """Return whether a vertex lies in the plane x = 0."""
        return self.points[vertex][0] == 0.0

    def neighbours(self, vertex: int) -> set[int]:
        """Return all vertices that share an edge with this one."""
        around = {other for number in self.star[vertex] for other in self.face(number)}
        around.discard(vertex)
        return around

    def _normal(self, face: tuple[int, ...]) -> Vector:
        return _cross(self.points[face[0]], self.points[face[1]], self.points[face[2]])

    def _survives(self, vertex: int, gone: set[int], place: Vector, longest: float) -> bool:
        """Return whether a moved vertex leaves its other faces unflipped and well shaped."""
        for number in self.star[vertex] - gone:
            face = self.face(number)
            corner = face.index(vertex)
            a, b, c = (place if other == vertex else self.points[other] for other in face)
            sides, normal = _sides(a, b, c), _cross(a, b, c)
            if sides[corner] > longest or sides[corner - 1] > longest:  # those at the place
                return False
            shape = _quality(normal, sides)
            is_unflipped = _agree(self._normal(face), normal, 0.3)
            if is_unflipped and shape >= 0.2:
                continue
            quality = self._quality(face)
            if (quality > 0.05 and not is_unflipped) or shape < min(0.2, quality):
                return False
        return True

    def collapse(self, keep: int, drop: int, longest: float) -> bool:
        """Merge two adjacent vertices if the mesh stays a manifold without folds.

        Args:
            keep: the vertex that is kept, moved to the middle or, if only one is on the seam,
                there.
            drop: the vertex that is removed.
            longest: maximum length of an edge after the merge, m.

        Returns:
            Whether the vertices were merged.
        """
        shared = self.star[keep] & self.star[drop]
        if self.on_seam(drop) and not self.on_seam(keep):
            keep, drop = drop, keep
        both = self.on_seam(keep) and self.on_seam(drop)
        if len(shared) != (1 if both else 2):
            return False
        around_keep, around_drop = self.neighbours(keep), self.neighbours(drop)
        if len(around_keep & around_drop) != len(shared):
            return False
        # An inner edge between two seam vertices would coincide with its mirror image.
        chords = around_drop - around_keep - {keep} if self.on_seam(keep) and not both else ()
        if any(self.on_seam(vertex) for vertex in chords):
            return False
        a, b = self.points[keep], self.points[drop]
        place = ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2, (a[2] + b[2]) / 2)
        if self.on_seam(keep) and not both:
            place = a
        if not self._survives(keep, shared, place, longest):
            return False
        if not self._survives(drop, shared, place, longest):
            return False
        self._merge(keep, drop, shared, place)
        return True

    def _merge(self, keep: int, drop: int, shared: set[int], place: Vector) -> None:
        for number in shared:
            for vertex in self.face(number):
                self.star[vertex].discard(number)
            self.faces[number] = None
        for number in self.star[drop]:
            a, b, c = (keep if vertex == drop else vertex for vertex in self.face(number))
            self.faces[number] = (a, b, c)
            self.star[keep].add(number)
        self.star[drop] = set()
        self.points[keep] = place

    def split(self, a: int, b: int) -> None:
        """Insert a vertex in the middle of an edge."""
        p, q = self.points[a], self.points[b]
        new = len(self.points)
        self.points.append(((p[0] + q[0]) / 2, (p[1] + q[1]) / 2, (p[2] + q[2]) / 2))
        self.star.append(set())
        for number in sorted(self.star[a] & self.star[b]):
            face = self.face(number)
            first = tuple(new if vertex == b else vertex for vertex in face)
            second = tuple(new if vertex == a else vertex for vertex in face)
            self.faces[number] = (first[0], first[1], first[2])
            self.faces.append((second[0], second[1], second[2]))
            added = len(self.faces) - 1
            self.star[b].discard(number)
            self.star[new].update((number, added))
            self.star[b].add(added)
            for vertex in face:
                if vertex not in (a, b):
                    self.star[vertex].add(added)

    def flip(self, a: int, b: int) -> bool:
        """Flip an inner edge if that improves the worse of its two triangles."""
        shared = sorted(self.star[a] & self.star[b])
        if len(shared) != 2:
            return False
        left = self.face(shared[0])
        if left[(left.index(a) + 1) % 3] != b:
            shared.reverse()
            left = self.face(shared[0])
        right = self.face(shared[1])
        c = next(vertex for vertex in left if vertex not in (a, b))
        d = next(vertex for vertex in right if vertex not in (a, b))
        if self.star[c] & self.star[d] or min(len(self.star[a]), len(self.star[b])) < 4:
            return False
        if self.on_seam(c) and self.on_seam(d):
            return False
        new = ((a, d, c), (d, b, c))
        before = min(self._quality(left), self._quality(right))
        if min(map(self._quality, new)) <= before * LEAST_GAIN:
            return False
        normal = self._normal(left)
        if not all(_agree(normal, self._normal(face), 0.5) for face in new):
            return False
        self.faces[shared[0]], self.faces[shared[1]] = new
        self.star[a].discard(shared[1])
        self.star[b].discard(shared[0])
        self.star[c].add(shared[1])
        self.star[d].add(shared[0])
        return True

    def flip_all(self) -> None:
        """Flip each inner edge, in the order of `edges`, if that improves the worse triangle.

        Edges whose triangles are those of the start, and better than the others, are passed over.
        """
        faces = np.array([face or (-1, -1, -1) for face in self.faces])
        changed: set[int] = set()
        for (a, b), triangles, improves in _weigh_flips(np.array(self.points), faces):
            if improves or not changed.isdisjoint(triangles):
                shared = self.star[a] & self.star[b]
                if self.flip(a, b):
                    changed |= shared

    def _quality(self, face: tuple[int, int, int]) -> float:
        return triangle_quality(*(self.points[vertex] for vertex in face))

    def edges(self) -> Integers:
        """Return all edges (e, 2), smaller vertex first, sorted."""
        faces = np.array([face for face in self.faces if face is not None])
        one, other = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
        count = len(self.points)
        # Sorting numbers is many times faster than sorting rows.
        keys = np.unique(np.minimum(one, other) * count + np.maximum(one, other))
        return np.stack(np.divmod(keys, count), axis=1)

    def compact(self) -> tuple[Floats, Integers]:
        """Return vertices (n, 3) and faces (m, 3) without the removed ones."""
        faces = np.array([face for face in self.faces if face is not None])
        used, numbers = np.unique(faces, return_inverse=True)
        return np.array(self.points)[used], numbers.reshape(faces.shape)
