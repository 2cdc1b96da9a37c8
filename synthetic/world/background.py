"""Backgrounds of people: rooms and streets, rendered by casting a ray for each pixel."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from synthetic.noise import linear_from_srgb as linear
from synthetic.noise import sample_volume
from synthetic.world.lighting import Lights, light
from synthetic.world.painting import Surface
from synthetic.world.rooms import CEILING, FLOOR, SHELL, Rooms

FAR_M = 1e4
CAMERA_GAP_M = 0.3  # walls keep this distance from the camera


@dataclass(frozen=True)
class Backdrop:
    """b images of places without people.

    Attributes:
        colour: (b, 3, h, w) linear light.
        depth_m: (b, h, w) along the optical axis.
    """

    colour: Tensor
    depth_m: Tensor


@dataclass(frozen=True)
class _Hits:
    """Hits of n rays per room: depth and surface (b, n), point, normal (b, n, 3), uv (b, n, 2)."""

    depth: Tensor
    surface: Tensor
    point: Tensor
    normal: Tensor
    uv: Tensor


def render_rooms(
    rooms: Rooms,
    lights: Lights,
    intrinsics: Tensor,
    world_from_camera: Tensor,
    size: tuple[int, int],
    volume: Tensor,
    *,
    shrink: int = 1,
) -> Backdrop:
    """Render rooms as their cameras see them.

    Args:
        rooms: b places; a wall between camera and people is moved behind the camera.
        lights: lights of the b images, in the cameras' frames, as for people.
        intrinsics: (b, 4) fx, fy, cx, cy, pixels.
        world_from_camera: (b, 4, 4); world z up, floor at 0; camera's optical frame.
        size: width and height, pixels.
        volume: noise of at least four channels from `make_volume`.
        shrink: cast rays at a fraction of the resolution; 2 takes a quarter of the time. It must
            divide both sides.
    """
    if shrink > 1:
        coarse = _scale_down(intrinsics, shrink)
        small = (size[0] // shrink, size[1] // shrink)
        view = render_rooms(rooms, lights, coarse, world_from_camera, small, volume)
        return _enlarge(view, shrink)
    (w, h), b = size, len(intrinsics)
    rays = _make_rays(intrinsics, size)  # (b, h*w, 3), z = 1: lengths along them are depths
    turn, place = world_from_camera[:, :3, :3], world_from_camera[:, :3, 3]
    directions = rays @ turn.transpose(1, 2)
    hits = _meet_boxes(rooms, place, directions, _meet_shell(rooms, place, directions))
    albedo = _paint_surfaces(rooms, hits, volume)
    image = torch.arange(b, device=rays.device).repeat_interleave(h * w)
    surface = _as_matt(albedo.flatten(0, 1))
    normals = (hits.normal @ turn).flatten(0, 1)
    points = (rays * hits.depth[..., None]).flatten(0, 1)
    colour = light(surface, normals, points, image, lights, _find_corners(rooms, hits).flatten())
    colour = _open_sky(rooms, lights, hits, colour.view(b, -1, 3))
    return Backdrop(colour.transpose(1, 2).reshape(b, 3, h, w), hits.depth.view(b, h, w))


def _scale_down(intrinsics: Tensor, factor: int) -> Tensor:
    # Pixel centres are integers, so that the image's corner is at -0.5 at any resolution.
    corner = intrinsics.new_tensor([0.0, 0.0, 0.5, 0.5])
    return (intrinsics + corner) / factor - corner


def _enlarge(small: Backdrop, factor: int) -> Backdrop:
    colour = functional.interpolate(small.colour, scale_factor=factor, mode="bilinear")
    depth = functional.interpolate(small.depth_m[:, None], scale_factor=factor)
    return Backdrop(colour, depth[:, 0])


def _make_rays(intrinsics: Tensor, size: tuple[int, int]) -> Tensor:
    """Return (b, h*w, 3) viewing rays through pixel centres, z = 1."""
    width, height = size
    fx, fy, cx, cy = intrinsics.float().T[:, :, None, None]
    x = (torch.arange(width, device=fx.device) - cx) / fx  # (b, 1, w)
    y = (torch.arange(height, device=fx.device)[:, None] - cy) / fy
    shape = (len(intrinsics), height, width)
    rays = (x.expand(shape), y.expand(shape), torch.ones(shape, device=fx.device))
    return torch.stack(rays, -1).flatten(1, 2)


def _meet_shell(rooms: Rooms, place: Tensor, directions: Tensor) -> _Hits:
    """Intersect rays with walls, floor and ceiling from inside."""
    low = torch.minimum(rooms.low, place - CAMERA_GAP_M)[:, None]
    high = torch.maximum(rooms.high, place + CAMERA_GAP_M)[:, None]
    upward = directions > 0
    steps = (torch.where(upward, high, low) - place[:, None]) / directions
    depth, axis = steps.nan_to_num(FAR_M, FAR_M, FAR_M).min(2)
    side = upward.gather(2, axis[..., None])[..., 0]
    surface = axis * 2 + side  # x low, x high, y low, y high, floor, ceiling
    point = place[:, None] + depth[..., None] * directions
    normal = functional.one_hot(axis, 3) * torch.where(side, -1.0, 1.0)[..., None]
    x, y, z = point.unbind(-1)
    uv = torch.stack((torch.where(axis == 0, y, x), torch.where(axis == 2, y, z)), -1)
    return _Hits(depth, surface, point, normal, uv)


def _meet_boxes(rooms: Rooms, place: Tensor, directions: Tensor, behind: _Hits) -> _Hits:
    """Replace hits by those of nearer furniture."""
    cos, sin = rooms.box_yaw.cos()[..., None], rooms.box_yaw.sin()[..., None]  # (b, boxes, 1)
    starts = _turn(place[:, None] - rooms.box_centre, cos[..., 0], sin[..., 0])
    rays = _turn(directions[:, None], cos, sin)  # (b, boxes, n) for each axis
    enters, leaves = [], []
    for start, ray, half in zip(starts, rays, rooms.box_half.unbind(-1), strict=True):
        inverse = (ray + torch.where(ray == 0, 1e-9, 0.0)).reciprocal()
        middle, reach = -start[..., None] * inverse, half[..., None] * inverse.abs()
        enters.append(middle - reach)
        leaves.append(middle + reach)
    enter = torch.maximum(torch.maximum(enters[0], enters[1]), enters[2])
    leave = torch.minimum(torch.minimum(leaves[0], leaves[1]), leaves[2])
    there = rooms.box_half[..., :1] > 0
    depth, box = torch.where((enter < leave) & (enter > 0.1) & there, enter, FAR_M).min(1)
    nearer = (depth < behind.depth)[..., None]
    normal, uv = _touch_boxes(rooms, place, directions, box, depth)
    return _Hits(
        torch.minimum(depth, behind.depth),
        torch.where(nearer[..., 0], box + SHELL, behind.surface),
        torch.where(nearer, place[:, None] + depth[..., None] * directions, behind.point),
        torch.where(nearer, normal, behind.normal),
        torch.where(nearer, uv, behind.uv),
    )


def _turn(vectors: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return x, y, z of vectors (..., 3) in frames rotated about z."""
    x, y, z = vectors.unbind(-1)
    return cos * x + sin * y, cos * y - sin * x, z


def _touch_boxes(
    rooms: Rooms, place: Tensor, directions: Tensor, box: Tensor, depth: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the normal (b, n, 3) and uv (b, n, 2) where rays hit their box at these depths."""
    rows = torch.arange(len(box), device=box.device)[:, None]
    cos, sin = rooms.box_yaw.cos()[rows, box], rooms.box_yaw.sin()[rows, box]
    offset = place[:, None] + depth[..., None] * directions - rooms.box_centre[rows, box]
    x, y, z = _turn(offset, cos, sin)
    local = torch.stack((x, y, z), -1)
    # The face that is hit is the one whose plane contains the point.
    axis = (local.abs() - rooms.box_half[rows, box]).argmax(-1)
    sign = local.gather(2, axis[..., None])[..., 0].sign()
    along_x, along_y = (axis == 0) * sign, (axis == 1) * sign
    level = (axis == 2) * sign
    normal = torch.stack((cos * along_x - sin * along_y, sin * along_x + cos * along_y, level), -1)
    uv = torch.stack((torch.where(axis == 0, y, x), torch.where(axis == 2, y, z)), -1)
    return normal, uv


def _paint_surfaces(rooms: Rooms, hits: _Hits, volume: Tensor) -> Tensor:
    """Return (b, n, 3) linear reflectance at the hits."""
    rows = torch.arange(len(hits.depth), device=hits.depth.device)[:, None]
    at = (rows, hits.surface)
    tones = rooms.tones[at]  # (b, n, 2, 3)
    noise = sample_volume(volume, (hits.point * 2.3 + hits.surface[..., None] * 7).flatten(0, 1))
    fine = sample_volume(volume, (hits.point * 41).flatten(0, 1))
    noise, fine = noise.view(*hits.depth.shape, -1), fine.view(*hits.depth.shape, -1)
    mix = _lay_pattern(rooms.kinds[at], rooms.scales[at], hits.uv, noise)
    tone = torch.lerp(tones[..., 0, :], tones[..., 1, :], mix[..., None])
    tone = tone * (1 + rooms.grain[at][..., None] * fine[..., :1] + 0.05 * noise[..., 3:])
    tone = _hang_fixtures(rooms, hits, tone)
    return linear(tone.clamp(0.01, 1))


def _lay_pattern(kinds: Tensor, scale: Tensor, uv: Tensor, noise: Tensor) -> Tensor:
    """Return (b, n) the fraction of the second tone, by each surface's pattern."""
    u, v = (uv / scale[..., None]).unbind(-1)

    def scatter(i: Tensor, j: Tensor) -> Tensor:
        value = (i * 12.9898 + j * 78.233).sin() * 437.585
        return value - value.floor()

    def gaps(p: Tensor, share: float) -> Tensor:
        return (p - p.floor() < share).to(p.dtype)

    row = (v * 2).floor()
    shifted = u + 0.5 * (row % 2)
    board = (u * 3).floor()
    length = v / 6 + scatter(board, board * 0) * 3
    planks = 0.15 + 0.75 * scatter(board, length.floor()) + 0.6 * gaps(u * 3, 0.03)
    windows = (((u % 1) - 0.5).abs() < 0.28) & (((v % 1) - 0.5).abs() < 0.3)
    choices = torch.stack(
        (
            torch.zeros_like(u),
            planks + 0.25 * noise[..., 2],
            torch.maximum(gaps(u, 0.04), gaps(v, 0.04)) + 0.3 * scatter(u.floor(), v.floor()),
            torch.maximum(gaps(v * 2, 0.1), gaps(shifted, 0.05)) * 0.8
            + 0.3 * scatter(shifted.floor(), row),
            gaps(u, 0.5),
            torch.sigmoid(6 * (noise[..., 0] + 0.5 * noise[..., 1])),
            0.5 + 0.5 * noise[..., 1],
            windows.to(u.dtype) * (0.7 + 0.3 * scatter(u.floor(), v.floor())),
        )
    )
    return choices.gather(0, kinds[None])[0].clamp(0, 1)


def _hang_fixtures(rooms: Rooms, hits: _Hits, tone: Tensor) -> Tensor:
    """Draw doors, windows and pictures, each with a frame, and the skirting on walls."""
    wall = hits.surface.clamp(max=3)
    rows = torch.arange(len(wall), device=wall.device)[:, None]
    on_wall = hits.surface < FLOOR
    u, v = hits.uv[..., None, :].unbind(-1)  # (b, n, 1)
    left, bottom, right, top = rooms.fixture[rows, wall].unbind(-1)  # (b, n, fixtures)
    inset = torch.minimum(torch.minimum(u - left, right - u), torch.minimum(v - bottom, top - v))
    inset, which = inset.max(-1)
    hung = rooms.fixture_tone[rows, wall, which]
    frame = (inset < 0.05)[..., None]
    tone = torch.where(
        ((inset > 0) & on_wall)[..., None], torch.where(frame, hung * 0.5 + 0.3, hung), tone
    )
    low = (hits.point[..., 2] < rooms.skirting[:, None]) & on_wall
    return torch.where(low[..., None], rooms.tones[:, None, FLOOR, 0] * 0.8, tone)


def _as_matt(albedo: Tensor) -> Surface:
    """Return a matt surface (n, 3) without bumps or gloss."""
    zero = torch.zeros_like(albedo[:, 0])
    return Surface(albedo, torch.zeros_like(albedo), zero, zero.long())


def _open_sky(rooms: Rooms, lights: Lights, hits: _Hits, colour: Tensor) -> Tensor:
    """Replace the ceilings of streets by a slightly uneven sky."""
    sky = rooms.outdoors[:, None] & (hits.surface == CEILING)
    glow = lights.sky[:, None] * (1.2 + 0.4 * hits.uv[..., :1].mul(0.1).sin())
    return torch.where(sky[..., None], glow, colour)


def _find_corners(rooms: Rooms, hits: _Hits) -> Tensor:
    """Return (b, n) in (0, 1]: darker towards the room's edges and around its furniture."""
    gaps = torch.minimum(hits.point - rooms.low[:, None], rooms.high[:, None] - hits.point).abs()
    beside = gaps.sort(-1).values[..., 1]  # the smallest is the distance to the surface itself
    dark = 0.35 * torch.exp(-beside / 0.25)
    x, y, _ = hits.point[:, None].unbind(-1)  # (b, 1, n)
    middle, half = rooms.box_centre[..., None], rooms.box_half[..., None]  # (b, boxes, 3, 1)
    beyond_x = ((x - middle[:, :, 0]).abs() - half[:, :, 0]).clamp_(min=0)
    beyond_y = ((y - middle[:, :, 1]).abs() - half[:, :, 1]).clamp_(min=0)
    square = beyond_x.square_() + beyond_y.square_()
    nearest = torch.where(half[:, :, 0] > 0, square, FAR_M).amin(1).sqrt()
    near = torch.exp(-nearest / 0.15)
    dark = torch.maximum(dark, 0.5 * near * (hits.surface == FLOOR))
    return 1 - dark
