"""The rasteriser of `smpler_model.drawing.raster` for batches, in torch, on any device.

Same conventions and same method: corners snapped to 1/256 pixel, spans of rows from whole numbers
that float64 holds exactly, depth and barycentric coordinates from the inverse of each triangle's
corner matrix. Given the same float64 points, both find the same triangles. The batch is one long
list of triangles: nothing loops over images, triangles or pixels. On a GPU, the host waits for the
sizes of lists six times a batch, nine times with clipping, however many images there are.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from smpler_model.drawing.raster import EMPTY_KEY, GUARD_BAND_PX, SUBPIXELS


@dataclass(frozen=True)
class Fragments:
    """The visible parts of meshes in b cameras: one entry for each of n pixels.

    Attributes:
        batch: number of images b.
        size: width and height of every image, pixels.
        pixel: (n,) ascending index into the batch, (image * height + y) * width + x.
        image: (n,) index of the image.
        triangle: (n,) row of the shared faces.
        depth: (n,) depth along the optical axis, metres, float32.
        barycentric: (n, 3) perspective-correct weights of the triangle's corners, float32.
    """

    batch: int
    size: tuple[int, int]
    pixel: Tensor
    image: Tensor
    triangle: Tensor
    depth: Tensor
    barycentric: Tensor

    def interpolate(self, faces: Tensor, attributes: Tensor) -> Tensor:
        """Return (n, c) values at the visible pixels of vertex attributes (b, v, c) or (v, c)."""
        corners = faces[self.triangle]  # (n, 3)
        if attributes.ndim == 3:
            corners = corners + self.image[:, None] * attributes.shape[1]
        values = attributes.flatten(0, -2).index_select(0, corners.T.reshape(-1))
        values = values.view(3, len(corners), -1)
        return (values * self.barycentric.T[:, :, None].to(values.dtype)).sum(0)

    def to_images(self, values: Tensor, empty: float | Tensor = 0.0) -> Tensor:
        """Return (b, c, h, w): values (n, c) at the visible pixels, `empty` elsewhere.

        Args:
            values: (n, c) or (n,), which counts as c = 1.
            empty: a number, or images (b, c, h, w) as background, which are not modified.
        """
        values = values[:, None] if values.ndim == 1 else values
        width, height = self.size
        if isinstance(empty, Tensor):
            canvas = (
                empty.permute(0, 2, 3, 1).to(values.dtype, copy=True).reshape(-1, values.shape[1])
            )
        else:
            canvas = values.new_full((self.batch * height * width, values.shape[1]), empty)
        canvas[self.pixel] = values
        return canvas.view(self.batch, height, width, -1).permute(0, 3, 1, 2)


def rasterise_batch(
    vertices_m: Tensor,
    faces: Tensor,
    intrinsics: Tensor,
    size: tuple[int, int],
    *,
    near_m: float = 0.05,
    cull_back: bool = True,
) -> Fragments:
    """Find the nearest triangle at every pixel centre of b images.

    Args:
        vertices_m: (b, v, 3) points in each camera's optical frame, metres.
        faces: (f, 3) vertex rows, shared.
        intrinsics: (b, 4) or (4,) fx, fy, cx, cy, pixels; pixel centres at integer coordinates.
        size: width and height, pixels.
        near_m: anything nearer is clipped, metres.
        cull_back: whether to drop triangles seen from behind; right for closed meshes.

    Raises:
        ValueError: a shape is wrong.
    """
    if vertices_m.ndim != 3 or vertices_m.shape[2] != 3:
        raise ValueError(f"vertices must be (b, v, 3), got {tuple(vertices_m.shape)}; stack them")
    if faces.ndim != 2 or faces.shape[1] != 3:
        raise ValueError(f"faces must be (f, 3), got {tuple(faces.shape)}; share one topology")
    b, v, _ = vertices_m.shape
    points = _to_pixels(vertices_m, intrinsics.expand(b, 4))  # (3 axes, b*v)
    image = torch.arange(b, device=faces.device)[:, None]
    corners = (faces.T[:, None] + image * v).flatten(1)  # (3, b*f)
    outline, source = _outline(points, corners, near_m)
    outline, source = _keep_visible(outline, source, size, cull_back)
    spans = _cut_rows(outline, source // len(faces), size)
    whole = _gather(points, corners[:, source])  # unclipped (3 axes, 3 corners, t)
    forms, depths = _weight_forms(whole), whole[2].clamp(min=near_m)
    pixel, seen, depth = _keep_nearest(spans, forms.sum(0), depths, size, b)
    barycentric = _barycentric(forms, seen, pixel, size)
    image, triangle = _divmod(source[seen], len(faces))
    return Fragments(b, size, pixel, image, triangle, depth, barycentric)


@dataclass(frozen=True)
class _Spans:
    """Pixels first..first+count-1 of a row, at column and row, inside an outline.

    All (s,); `first` indexes the pixels of the whole batch.
    """

    first: Tensor
    count: Tensor
    column: Tensor
    row: Tensor
    outline: Tensor


def _to_pixels(vertices_m: Tensor, intrinsics: Tensor) -> Tensor:
    """Return (3, b*v) homogeneous pixel coordinates x z, y z, z; z is the depth in metres."""
    x, y, z = vertices_m.double().permute(2, 0, 1)
    fx, fy, cx, cy = intrinsics.double().T[:, :, None]
    return torch.stack((x * fx + z * cx, y * fy + z * cy, z)).flatten(1)


def _gather(columns: Tensor, index: Tensor) -> Tensor:
    """Return (k, *index.shape) entries of (k, m) columns; faster than indexing on a CPU."""
    return columns.index_select(1, index.reshape(-1)).view(len(columns), *index.shape)


def _divmod(a: Tensor, b: int) -> tuple[Tensor, Tensor]:
    quotient = a // b
    return quotient, a - quotient * b


def _snap(points: Tensor) -> Tensor:
    """Convert homogeneous pixels (3, ...) to integers of 1/256 pixel, (2, ...)."""
    pixels = (points[:2] / points[2]).clamp(-GUARD_BAND_PX, GUARD_BAND_PX)
    return (pixels * SUBPIXELS).round()


def _outline(points: Tensor, corners: Tensor, near_m: float) -> tuple[Tensor, Tensor]:
    """Return projected triangles (2, 3, t) and the triangle that each belongs to (t,)."""
    snapped = _gather(_snap(points), corners)
    source = torch.arange(corners.shape[1], device=corners.device)
    behind = points[2] < near_m
    if not behind.any():
        return snapped, source
    alone = _gather(behind[None], corners)[0]  # (3, t)
    hidden = alone.sum(0)
    whole = (hidden == 0).nonzero()[:, 0]
    parts, sources = [snapped[:, :, whole]], [whole]
    for count in (1, 2):
        part = (hidden == count).nonzero()[:, 0]
        # Rotated so that the corner that is alone on its side of the plane comes first.
        lonely = (alone[:, part] == (count == 1)).int().argmax(0)
        order = (lonely + torch.arange(3, device=lonely.device)[:, None]) % 3
        a, b, c = _gather(points, corners[:, part].gather(0, order)).unbind(1)
        if count == 1:
            ab, ac = _cross_near(b, a, near_m), _cross_near(c, a, near_m)
            pieces = [torch.stack((ab, b, c), 1), torch.stack((ab, c, ac), 1)]
        else:
            pieces = [torch.stack((a, _cross_near(a, b, near_m), _cross_near(a, c, near_m)), 1)]
        parts += [_snap(piece) for piece in pieces]
        sources += [part] * len(pieces)
    return torch.cat(parts, 2), torch.cat(sources)


def _cross_near(front: Tensor, behind: Tensor, near_m: float) -> Tensor:
    """Return the edges' (3, t) intersections with the near plane, equal for both triangles."""
    share = (near_m - front[2]) / (behind[2] - front[2])
    crossing = front + share * (behind - front)
    crossing[2] = near_m
    return crossing


def _keep_visible(
    outline: Tensor, source: Tensor, size: tuple[int, int], cull_back: bool
) -> tuple[Tensor, Tensor]:
    """Drop outlines that face away or contain no pixel centre of their image."""
    (ax, bx, cx), (ay, by, cy) = outline
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    keep = area < 0 if cull_back else area != 0  # negative seen from outside: y points down
    for a, b, c, length in ((ax, bx, cx, size[0]), (ay, by, cy, size[1])):
        first = (torch.minimum(torch.minimum(a, b), c) / SUBPIXELS).ceil_()
        stop = (torch.maximum(torch.maximum(a, b), c) / SUBPIXELS).ceil_()
        keep &= first.clamp_(min=0) < stop.clamp_(max=length)
    index = keep.nonzero()[:, 0]
    return outline.flatten(0, 1).index_select(1, index).view(2, 3, -1), source[index]


def _cut_rows(outline: Tensor, image: Tensor, size: tuple[int, int]) -> _Spans:
    """Cut every outline into the spans of pixels whose centres lie inside it."""
    width, height = size
    y, order = outline[1].sort(0)
    x = outline[0].gather(0, order)  # (3, t), from top to bottom
    start, stop = (y[::2] / SUBPIXELS).ceil_().clamp_(0, height).long()
    owner, row = _expand(stop - start, start)
    level = row.double() * SUBPIXELS
    (xa, xb, xc), (ya, yb, yc) = _gather(torch.cat((x, y)), owner).view(2, 3, -1)
    lower = level >= yb  # the row lies below the middle corner
    long = _cross_level(xa, ya, xc, yc, level)
    short = _cross_level(
        torch.where(lower, xb, xa),
        torch.where(lower, yb, ya),
        torch.where(lower, xc, xb),
        torch.where(lower, yc, yb),
        level,
    )
    left = torch.minimum(long, short).clamp_(0, width).long()
    right = torch.maximum(long, short).clamp_(0, width).long()
    some = (right > left).nonzero()[:, 0]
    left, row, owner = left[some], row[some], owner[some]
    first = (image[owner] * height + row) * width + left
    return _Spans(first, right[some] - left, left, row, owner)


def _cross_level(xa: Tensor, ya: Tensor, xb: Tensor, yb: Tensor, level: Tensor) -> Tensor:
    """Return the first pixel column at or right of the intersection of edges a-b with a level."""
    run = yb - ya
    return ((xa * run + (level - ya) * (xb - xa)) / (run * SUBPIXELS)).ceil_()


def _expand(count: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    """Return owner and value of the runs start, start+1, ... of count elements each."""
    owner = torch.repeat_interleave(count)
    before = count.cumsum(0) - count
    return owner, torch.arange(len(owner), device=owner.device) + (start - before)[owner]


def _weight_forms(points: Tensor) -> Tensor:
    """Return (3 corners, 3, t): corner weight / depth = form . (x, y, 1) at a pixel x, y.

    The rows of the inverse of the matrix of a triangle's corners, as in
    `smpler_model.drawing.raster`.
    """
    a, b, c = points.unbind(1)
    forms = torch.stack([torch.linalg.cross(p, q, dim=0) for p, q in ((b, c), (c, a), (a, b))])
    volume = (forms[0] * a).sum(0)
    return forms / torch.where(volume == 0, torch.inf, volume)


def _keep_nearest(
    spans: _Spans, nearness: Tensor, depth_range: Tensor, size: tuple[int, int], b: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the visible pixels in ascending order, with the nearest outline and its depth."""
    # 1 / depth is linear in the image; a nearly edge-on plane is limited to its triangle's depths.
    limits = torch.stack((1 / depth_range.amax(0), 1 / depth_range.amin(0)))
    slope, rise, level, far, near = _gather(torch.cat((nearness, limits)), spans.outline)
    start = slope * spans.column + rise * spans.row + level
    owner, pixel = _expand(spans.count, spans.first)
    along = torch.stack((start - slope * spans.first, slope, far, near))
    start, slope, far, near = _gather(along, owner)
    depth = 1 / (start + slope * pixel).clamp(far, near)
    key = depth.float().view(torch.int32).long().bitwise_left_shift_(32)
    key |= spans.outline[owner]
    nearest = torch.full((b * size[0] * size[1],), EMPTY_KEY, device=key.device)
    nearest.scatter_reduce_(0, pixel, key, "amin")
    pixel = (nearest != EMPTY_KEY).nonzero()[:, 0]
    key = nearest[pixel]
    return pixel, key & 0xFFFFFFFF, (key >> 32).int().view(torch.float32)


def _barycentric(forms: Tensor, seen: Tensor, pixel: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the (n, 3) weights of the corners of the visible outlines at pixels."""
    line, x = _divmod(pixel, size[0])
    slope, rise, level = _gather(forms.transpose(0, 1).flatten(0, 1), seen).view(3, 3, -1)
    # A centre may be 1/512 pixel outside of its triangle, because corners were snapped.
    weights = (slope * x + rise * (line % size[1]) + level).clamp_(min=0)
    total = weights.sum(0)
    blended: Tensor = weights / torch.where(total > 0, total, 1)
    return blended.T.float()
