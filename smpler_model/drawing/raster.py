"""A triangle rasteriser on the CPU: no window, no display, no OpenGL.

Conventions. Points are in the camera's optical frame in metres (x right, y down, z forward).
Intrinsics are the four numbers fx, fy, cx, cy in pixels; pixel centres lie at integer
coordinates, as in OpenCV, so that a point on the optical axis lands on the centre of pixel
(cx, cy). Lens distortion is not applied. Triangles are front-facing when their vertices run
counter-clockwise seen from outside, as in SMPL.

Method. Projected corners are snapped to 1/256 pixel, and a pixel row's span inside a triangle
follows from whole numbers below 2**53, which float64 holds exactly: triangles that share an edge
cut every row at the same place, so a pixel centre belongs to exactly one of them (the top-left
rule). Depth and barycentric coordinates come from the viewing ray's intersection with the
triangle in space, which is perspective-correct and also holds for triangles that were clipped.
All steps run over arrays of triangles, of their rows and of their pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smpler_model.array_types import Floats, Integers

AnyValue = TypeVar("AnyValue", bound=np.generic)

SUBPIXELS = 256  # steps a pixel; the grid that projected corners are snapped to
GUARD_BAND_PX = 2.0**17  # coordinates beyond it are clamped, so that products stay below 2**53
EMPTY_KEY = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Raster:
    """The visible parts of a mesh: one entry for each of the n pixels that show a triangle.

    Attributes:
        size: width and height of the image, pixels.
        pixel: (n,) ascending index into the image, y * width + x.
        triangle: (n,) row of the faces given to `rasterise`, int32.
        depth: (n,) depth along the optical axis, metres, float32.
        barycentric: (n, 3) perspective-correct weights of the triangle's corners, float32.
    """

    size: tuple[int, int]
    pixel: Integers
    triangle: NDArray[np.int32]
    depth: NDArray[np.float32]
    barycentric: NDArray[np.float32]

    def depth_map(self) -> NDArray[np.float32]:
        """Return (h, w) depth in metres, infinity where nothing is visible."""
        return self._scatter(self.depth, np.inf)

    def mask(self) -> NDArray[np.bool_]:
        """Return (h, w) True where a triangle is visible."""
        return self._scatter(np.ones(len(self.pixel), np.bool_), False)

    def interpolate(self, faces: ArrayLike, attributes: ArrayLike) -> NDArray[np.float32]:
        """Return (n, c) values of (v, c) vertex attributes at the visible pixels."""
        corners = np.asarray(faces)[self.triangle]
        values = np.asarray(attributes, np.float32)[corners]  # (n, 3, c)
        blended: NDArray[np.float32] = np.einsum("nk,nkc->nc", self.barycentric, values)
        return blended

    def _scatter(self, values: NDArray[AnyValue], empty: float) -> NDArray[AnyValue]:
        width, height = self.size
        out = np.full((height * width, *values.shape[1:]), empty, values.dtype)
        out[self.pixel] = values
        return out.reshape(height, width, *values.shape[1:])


def rasterise(
    vertices_m: ArrayLike,
    faces: ArrayLike,
    intrinsics: ArrayLike,
    size: tuple[int, int],
    *,
    near_m: float = 0.05,
    cull_back: bool = True,
) -> Raster:
    """Find the nearest triangle at every pixel centre.

    Args:
        vertices_m: (v, 3) points in the camera's optical frame, metres; any may lie behind it.
        faces: (f, 3) vertex rows.
        intrinsics: fx, fy, cx, cy, pixels; pixel centres at integer coordinates.
        size: width and height of the image, pixels.
        near_m: anything nearer is clipped, metres.
        cull_back: whether to drop triangles seen from behind; right for closed meshes.

    Raises:
        ValueError: a shape, the size or the near plane is invalid.
    """
    vertices, corners = _check(vertices_m, faces, intrinsics, size, near_m)
    points = _to_pixels(vertices, np.asarray(intrinsics, np.float64))
    outline, source = _outline(points, corners, near_m)
    outline, source = _keep_visible(outline, source, size, cull_back)
    spans = _cut_rows(outline, size)
    forms = _weight_forms(points[corners[source]])
    depth_range = np.maximum(points[:, 2], near_m)[corners[source]]
    pixel, seen, depth = _keep_nearest(spans, forms.sum(0), depth_range, size)
    barycentric = _barycentric(forms, seen, pixel, size[0])
    return Raster(size, pixel, source[seen].astype(np.int32), depth, barycentric)


@dataclass(frozen=True)
class _Spans:
    """Pixels first..first+count-1 of an image row, inside the outline with this index."""

    first: Integers
    count: Integers
    outline: Integers


def _check(
    vertices_m: ArrayLike,
    faces: ArrayLike,
    intrinsics: ArrayLike,
    size: tuple[int, int],
    near_m: float,
) -> tuple[Floats, Integers]:
    vertices = np.asarray(vertices_m, np.float64)
    corners = np.asarray(faces, np.int64)
    camera = np.asarray(intrinsics, np.float64)
    if vertices.ndim != 2 or vertices.shape[1] != 3:
        raise ValueError(f"vertices must be (v, 3), got {vertices.shape}; pass one mesh")
    if corners.ndim != 2 or corners.shape[1] != 3:
        raise ValueError(f"faces must be (f, 3), got {corners.shape}; split polygons")
    if camera.shape != (4,) or not (camera[:2] > 0).all():
        raise ValueError(f"intrinsics must be fx > 0, fy > 0, cx, cy, got {camera}; pass all four")
    if min(size) < 1 or near_m <= 0:
        raise ValueError(f"size and near_m must be positive, got {size}, {near_m}; set both")
    return vertices, corners


def _to_pixels(vertices: Floats, intrinsics: Floats) -> Floats:
    """Return (v, 3) homogeneous pixel coordinates x z, y z, z; z is the depth in metres."""
    depth = vertices[:, 2:]
    return np.hstack((vertices[:, :2] * intrinsics[:2] + depth * intrinsics[2:], depth))


def _snap(points: Floats) -> Floats:
    """Convert homogeneous pixels (..., 3) to integers of 1/256 pixel, (..., 2)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        pixels = points[..., :2] / points[..., 2:]
    snapped: Floats = np.rint(np.clip(pixels, -GUARD_BAND_PX, GUARD_BAND_PX) * SUBPIXELS)
    return snapped


def _outline(points: Floats, corners: Integers, near_m: float) -> tuple[Floats, Integers]:
    """Return the projected triangles (t, 3, 2) and the face that each belongs to (t,)."""
    snapped = _snap(points)
    behind = points[:, 2] < near_m
    if not behind.any():
        return snapped[corners], np.arange(len(corners))
    hidden = behind[corners].sum(1)
    whole = np.flatnonzero(hidden == 0)
    parts = [snapped[corners[whole]]]
    sources = [whole]
    for count in (1, 2):
        face = np.flatnonzero(hidden == count)
        # Rotated so that the corner that is alone on its side of the plane comes first.
        lonely = np.argmax(behind[corners[face]] == (count == 1), axis=1)
        order = (lonely[:, None] + np.arange(3)) % 3
        a, b, c = np.moveaxis(points[np.take_along_axis(corners[face], order, 1)], 1, 0)
        if count == 1:
            ab, ac = _cross_near(b, a, near_m), _cross_near(c, a, near_m)
            pieces = [np.stack((ab, b, c), 1), np.stack((ab, c, ac), 1)]
        else:
            pieces = [np.stack((a, _cross_near(a, b, near_m), _cross_near(a, c, near_m)), 1)]
        parts += [_snap(piece) for piece in pieces]
        sources += [face] * len(pieces)
    return np.concatenate(parts), np.concatenate(sources)


def _cross_near(front: Floats, behind: Floats, near_m: float) -> Floats:
    """Return the edges' intersections with the near plane, equal for both triangles of an edge."""
    share = (near_m - front[:, 2:]) / (behind[:, 2:] - front[:, 2:])
    crossing: Floats = front + share * (behind - front)
    crossing[:, 2] = near_m
    return crossing


def _keep_visible(
    outline: Floats, source: Integers, size: tuple[int, int], cull_back: bool
) -> tuple[Floats, Integers]:
    """Drop outlines that face away or contain no pixel centre of the image."""
    (ax, bx, cx), (ay, by, cy) = outline.T
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    keep = area < 0 if cull_back else area != 0  # negative seen from outside: y points down
    for a, b, c, length in ((ax, bx, cx, size[0]), (ay, by, cy, size[1])):
        first = np.ceil(np.minimum(np.minimum(a, b), c) / SUBPIXELS)
        stop = np.ceil(np.maximum(np.maximum(a, b), c) / SUBPIXELS)
        keep &= np.maximum(first, 0) < np.minimum(stop, length)
    index = np.flatnonzero(keep)
    return outline[index], source[index]


def _cut_rows(outline: Floats, size: tuple[int, int]) -> _Spans:
    """Cut every outline into spans of pixels whose centres lie inside it."""
    width, height = size
    order = np.argsort(outline[..., 1], axis=1)
    x = np.take_along_axis(outline[..., 0], order, 1).T.copy()  # (3, t), from top to bottom
    y = np.take_along_axis(outline[..., 1], order, 1).T.copy()
    start, stop = np.clip(np.ceil(y[[0, 2]] / SUBPIXELS), 0, height).astype(np.int64)
    owner, offset = _expand(stop - start)
    row = start[owner] + offset
    level = row * float(SUBPIXELS)
    lower = (level >= y[1, owner]).astype(np.int64)  # the row lies below the middle corner
    long = _cross_level(x[0, owner], y[0, owner], x[2, owner], y[2, owner], level)
    short = _cross_level(
        x[lower, owner], y[lower, owner], x[lower + 1, owner], y[lower + 1, owner], level
    )
    left = np.clip(np.minimum(long, short), 0, width).astype(np.int64)
    count = np.clip(np.maximum(long, short), 0, width).astype(np.int64) - left
    some = count > 0
    return _Spans((row * width + left)[some], count[some], owner[some])


def _cross_level(xa: Floats, ya: Floats, xb: Floats, yb: Floats, level: Floats) -> Floats:
    """Return the first pixel column at or right of the intersection of edges a-b with a level."""
    run = yb - ya
    column: Floats = np.ceil((xa * run + (level - ya) * (xb - xa)) / (run * SUBPIXELS))
    return column


def _expand(count: Integers) -> tuple[Integers, Integers]:
    """Return the owner and the index within it of each of sum(count) elements."""
    owner = np.repeat(np.arange(len(count)), count)
    before = np.cumsum(count) - count
    return owner, np.arange(len(owner)) - before[owner]


def _weight_forms(points: Floats) -> Floats:
    """Return (3, 3, t): corner weight / depth = form . (x, y, 1) at a pixel x, y.

    A point of the triangle is a b c w = depth (x, y, 1); the rows of the inverse of the matrix of
    its corners a, b, c (t, 3, 3) give w / depth at a pixel, whichever corners lie behind the
    camera (Olano and Greer, "Triangle scan conversion using 2D homogeneous coordinates", 1997).
    """
    a, b, c = points.transpose(1, 2, 0)
    forms = np.stack((_cross(b, c), _cross(c, a), _cross(a, b)))  # (3 corners, 3 axes, t)
    volume = (forms[0] * a).sum(0)
    forms /= np.where(volume == 0, np.inf, volume)  # seen edge-on: the depth range decides
    return forms


def _cross(a: Floats, b: Floats) -> Floats:
    """Return the cross products of (3, t) columns; np.cross takes five times as long."""
    return np.stack(
        (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
    )


def _keep_nearest(
    spans: _Spans, nearness: Floats, depth_range: Floats, size: tuple[int, int]
) -> tuple[Integers, Integers, NDArray[np.float32]]:
    """Return the visible pixels in ascending order, with the nearest outline and its depth."""
    outline = spans.outline
    slope, rise, level = nearness  # of 1 / depth, which is linear in the image
    row, column = np.divmod(spans.first, size[0])
    start = slope[outline] * column + rise[outline] * row + level[outline]
    far, near = 1 / depth_range.max(1), 1 / depth_range.min(1)
    owner, offset = _expand(spans.count)
    seen = outline[owner]
    # Nearly edge-on, a plane is so steep at the snapped outline that it leaves the triangle.
    inverse = np.clip(start[owner] + slope[seen] * offset, far[seen], near[seen])
    key = (1 / inverse).astype(np.float32).view(np.int32).astype(np.int64) << 32
    key |= seen
    nearest = np.full(size[0] * size[1], EMPTY_KEY)
    np.minimum.at(nearest, spans.first[owner] + offset, key)
    pixel = np.flatnonzero(nearest != EMPTY_KEY)
    key = nearest[pixel]
    return pixel, key & 0xFFFFFFFF, (key >> 32).astype(np.int32).view(np.float32)


def _barycentric(
    forms: Floats, seen: Integers, pixel: Integers, width: int
) -> NDArray[np.float32]:
    """Return the (n, 3) weights of the corners of the visible outlines at pixels."""
    y, x = np.divmod(pixel, width)
    weights = np.stack([form[0, seen] * x + form[1, seen] * y + form[2, seen] for form in forms])
    weights = np.maximum(weights, 0)  # a centre may be 1/512 pixel outside: corners were snapped
    total = weights[0] + weights[1] + weights[2]
    return np.ascontiguousarray((weights / np.where(total > 0, total, 1)).T, np.float32)
