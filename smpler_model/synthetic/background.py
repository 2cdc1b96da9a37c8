"""What stands behind people: rooms and streets by casting rays, clouds of colour, and clutter."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional

from smpler_model.synthetic.lighting import Lights, light
from smpler_model.synthetic.noise import draw_choice, draw_uniform, make_clouds, sample_volume
from smpler_model.synthetic.noise import linear_from_srgb as linear
from smpler_model.synthetic.painting import Surface
from smpler_model.synthetic.rooms import CEILING, FLOOR, SHELL, Rooms

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
    """Where n rays a room end: depth and surface (b, n), point, normal (b, n, 3), uv (b, n, 2)."""

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
) -> Backdrop:
    """Render rooms as their cameras see them.

    Args:
        rooms: b places; a wall that would hide the camera is moved behind it.
        lights: Of the b images, in the cameras' frames, as for people.
        intrinsics: (b, 4) fx, fy, cx, cy, pixels; pixel centres at integer coordinates.
        world_from_camera: (b, 4, 4); world z up, floor at 0; camera x right, y down, z forward.
        size: Width and height, pixels.
        volume: Noise of at least four channels from `make_volume`.
    """
    (w, h), b = size, len(intrinsics)
    rays = _make_rays(intrinsics, size)  # (b, h*w, 3), z = 1: lengths along them are depths
    turn, place = world_from_camera[:, :3, :3], world_from_camera[:, :3, 3]
    directions = rays @ turn.transpose(1, 2)
    hits = _meet_boxes(rooms, place, directions, _meet_shell(rooms, place, directions))
    albedo = _paint_surfaces(rooms, hits, volume)
    image = torch.arange(b, device=rays.device).repeat_interleave(h * w)
    plain = torch.zeros_like(hits.depth).flatten()
    surface = Surface(albedo.flatten(0, 1), torch.zeros_like(albedo).flatten(0, 1), plain, plain)
    normals = (hits.normal @ turn).flatten(0, 1)
    points = (rays * hits.depth[..., None]).flatten(0, 1)
    colour = light(surface, normals, points, image, lights, _find_corners(rooms, hits).flatten())
    sky = rooms.outdoors[:, None] & (hits.surface == CEILING)
    glow = lights.sky[:, None] * (1.2 + 0.4 * hits.uv[..., :1].mul(0.1).sin())
    colour = torch.where(sky[..., None], glow, colour.view(b, -1, 3))
    return Backdrop(colour.transpose(1, 2).reshape(b, 3, h, w), hits.depth.view(b, h, w))


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
    """Meet walls, floor and ceiling from inside."""
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
    """Put the nearest piece of furniture before what is behind it."""
    cos, sin = rooms.box_yaw.cos(), rooms.box_yaw.sin()
    zero, one = torch.zeros_like(cos), torch.ones_like(cos)
    turn = torch.stack((cos, sin, zero, -sin, cos, zero, zero, zero, one), -1).view(
        *cos.shape, 3, 3
    )
    # (b, boxes, n, 3) rays in the boxes' frames
    along = directions[:, None] @ turn.transpose(2, 3)
    start = (turn @ (place[:, None] - rooms.box_centre)[..., None])[:, :, None, :, 0]
    half = rooms.box_half[:, :, None]
    inverse = 1 / torch.where(along.abs() < 1e-9, 1e-9, along)
    middle, reach = -start * inverse, half * inverse.abs()
    enter, axis = (middle - reach).max(-1)  # (b, boxes, n)
    leave = (middle + reach).amin(-1)
    met = (enter < leave) & (enter > 0.1) & (rooms.box_half[:, :, :1] > 0)
    depth, box = torch.where(met, enter, FAR_M).min(1)  # (b, n)
    nearer = depth < behind.depth
    axis = axis.gather(1, box[:, None])[:, 0]
    picked = box[:, None, :, None].expand(-1, 1, -1, 3)
    ray = along.gather(1, picked)[:, 0]
    offset = start[:, :, 0].gather(1, box[..., None].expand(-1, -1, 3))
    local = offset + depth[..., None] * ray
    normal = functional.one_hot(axis, 3) * -ray.sign()
    rows = torch.arange(len(box), device=box.device)[:, None]
    normal = (normal[..., None, :] @ turn[rows, box])[..., 0, :]
    x, y, z = local.unbind(-1)
    uv = torch.stack((torch.where(axis == 0, y, x), torch.where(axis == 2, y, z)), -1)
    point = place[:, None] + depth[..., None] * directions
    take = nearer[..., None]
    return _Hits(
        torch.where(nearer, depth, behind.depth),
        torch.where(nearer, box + SHELL, behind.surface),
        torch.where(take, point, behind.point),
        torch.where(take, normal, behind.normal),
        torch.where(take, uv, behind.uv),
    )


def _paint_surfaces(rooms: Rooms, hits: _Hits, volume: Tensor) -> Tensor:
    """Return (b, n, 3) linear reflectance of what rays meet."""
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
    """Return (b, n) the share of the second tone, by each surface's pattern."""
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
    """Lay doors, windows and pictures, each with a frame, and the skirting over walls."""
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


def _find_corners(rooms: Rooms, hits: _Hits) -> Tensor:
    """Return (b, n) in (0, 1]: darker towards the room's edges and around what stands in it."""
    gaps = torch.minimum(hits.point - rooms.low[:, None], rooms.high[:, None] - hits.point).abs()
    beside = gaps.sort(-1).values[..., 1]  # the smallest is the distance to the surface itself
    dark = 0.35 * torch.exp(-beside / 0.25)
    flat = (hits.point[:, :, None, :2] - rooms.box_centre[:, None, :, :2]).abs()
    outside = (flat - rooms.box_half[:, None, :, :2]).clamp(min=0).norm(dim=-1)
    there = rooms.box_half[:, None, :, 0] > 0
    near = torch.where(there, torch.exp(-outside / 0.15), 0.0).amax(-1)
    dark = torch.maximum(dark, 0.5 * near * (hits.surface == FLOOR))
    return 1 - dark


def draw_abstract(b: int, size: tuple[int, int], generator: Generator) -> Tensor:
    """Return (b, 3, h, w) linear light without a place: gradients, clouds and shapes of colour."""
    width, height = size
    tones = torch.rand(b, 4, 3, 1, 1, generator=generator)
    clouds = make_clouds(b, size, generator, octaves=6, decay=0.75)
    ramp = torch.linspace(0, 1, height)[:, None] * torch.ones(width)
    images = torch.lerp(
        tones[:, 0],
        tones[:, 1],
        torch.where(torch.rand(b, 1, 1, 1, generator=generator) < 0.5, clouds, ramp),
    )
    x = torch.arange(width) / width
    y = torch.arange(height)[:, None] / height
    for _ in range(12):
        tone = torch.rand(b, 3, 1, 1, generator=generator)
        at_x, at_y, angle = torch.rand(3, b, 1, 1, 1, generator=generator)
        reach = draw_uniform(0.02, 0.35, (2, b, 1, 1, 1), generator)
        cos, sin = (6.28 * angle).cos(), (6.28 * angle).sin()
        p = ((x - at_x) * cos + (y - at_y) * sin) / reach[0]
        q = ((y - at_y) * cos - (x - at_x) * sin) / reach[1]
        round_one = draw_choice((1, 1), b, generator).view(b, 1, 1, 1) == 1
        inside = torch.where(round_one, p * p + q * q, torch.maximum(p.abs(), q.abs())) < 1
        texture = 0.8 + 0.4 * clouds
        images = torch.where(inside, tone * texture, images)
    return linear(images.clamp(0, 1))
