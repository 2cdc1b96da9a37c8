"""Light on people: sky and ground, one distant light, one lamp, and ambient occlusion."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Generator, Tensor
from torch.nn import functional

from synthetic.noise import draw_chance, draw_uniform
from synthetic.world.painting import Surface

_GREY = 0.2  # mean linear light of a picture that is neither bright nor dark
WARM, COOL = (1.0, 0.78, 0.56), (0.80, 0.90, 1.0)  # lamps at about 3200 K and a sky at 9000 K


@dataclass(frozen=True)
class Lights:
    """Light of b images; directions and positions in each camera's optical frame.

    Attributes:
        up: (b, 3) unit, against gravity.
        sky: (b, 3) light from above, linear.
        ground: (b, 3) light from below, linear.
        sun_from: (b, 3) unit, towards the distant light.
        sun: (b, 3) strength of the distant light, linear.
        lamp_at_m: (b, 3) position of the lamp.
        lamp: (b, 3) strength of the lamp at 1 m, linear.
    """

    up: Tensor
    sky: Tensor
    ground: Tensor
    sun_from: Tensor
    sun: Tensor
    lamp_at_m: Tensor
    lamp: Tensor

    def to(self, device: torch.device | str) -> Lights:
        """Return a copy on that device."""
        return Lights(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


def draw_lights(up: Tensor, generator: Generator) -> Lights:
    """Draw the light of b images from a CPU generator; `up` are unit vectors (b, 3)."""
    b = len(up)
    warm, cool = torch.tensor(WARM), torch.tensor(COOL)

    def tint() -> Tensor:
        return torch.lerp(warm, cool, torch.rand(b, 1, generator=generator) ** 0.6)

    aside = functional.normalize(torch.randn(b, 3, generator=generator), dim=1)
    sun_from = functional.normalize(aside + draw_uniform(0.5, 2.5, (b, 1), generator) * up, dim=1)
    sky = tint() * draw_uniform(0.30, 0.75, (b, 1), generator)
    bounce = draw_uniform(0.35, 0.8, (b, 1), generator) * torch.tensor([1.0, 0.93, 0.85])
    sun = tint() * draw_uniform(0.1, 0.9, (b, 1), generator)
    on = draw_chance(0.4, (b, 1), generator)
    place = torch.randn(b, 3, generator=generator) * 1.5 + up * 1.5
    lamp = tint() * draw_uniform(0.3, 1.5, (b, 1), generator) * on
    return Lights(up, sky, sky * bounce, sun_from, sun, place, lamp)


def tune(lights: Lights, backdrops: Tensor, generator: Generator) -> Lights:
    """Return lights that roughly match images of places in brightness and colour.

    Args:
        lights: lights of b images.
        backdrops: (b, 3, h, w) linear light.
        generator: generator on the CPU. Some people are dark against a bright sky, some bright at
            night.
    """
    colour = backdrops.mean((2, 3)).clamp(min=0.01)
    level = colour.mean(1, keepdim=True)
    tint = (colour / level).clamp(0.5, 2).sqrt()
    apart = 0.4 * torch.randn(len(colour), 1, generator=generator).clamp(-3, 2)
    gain = tint * (level / _GREY).clamp(0.1, 4).sqrt() * apart.exp()
    return replace(
        lights,
        sky=lights.sky * gain,
        ground=lights.ground * gain,
        sun=lights.sun * gain,
        lamp=lights.lamp * gain,
    )


def light(
    surface: Surface,
    normals: Tensor,
    points_m: Tensor,
    image: Tensor,
    lights: Lights,
    openness: Tensor | None = None,
) -> Tensor:
    """Return (n, 3) linear colours of lit pixels.

    Args:
        surface: surface of n pixels.
        normals: (n, 3) in the camera's frame, of any length.
        points_m: (n, 3) in the camera's frame.
        image: (n,) the row of `lights` for each pixel.
        lights: lights of all images.
        openness: (n,) fraction of the sky that reaches a pixel, from `find_openness`; 1 if None.
    """
    normals = _bend(normals, surface.bump)
    view = functional.normalize(-points_m, dim=1)
    to_lamp = lights.lamp_at_m[image] - points_m
    square = to_lamp.square().sum(1, keepdim=True).clamp(min=0.25)
    to_lamp = to_lamp / square.sqrt()
    above = 0.5 + 0.5 * (normals * lights.up[image]).sum(1, keepdim=True)
    received = torch.lerp(lights.ground[image], lights.sky[image], above)
    if openness is not None:
        received = received * openness[:, None]
    shine = torch.zeros_like(received)
    for towards, strength in (
        (lights.sun_from[image], lights.sun[image]),
        (to_lamp, lights.lamp[image] / square),
    ):
        # Light wraps slightly around edges, as from a window or through skin and cloth.
        facing = (((normals * towards).sum(1, keepdim=True) + 0.15) / 1.15).clamp(min=0)
        received = received + strength * facing
        half = functional.normalize(towards + view, dim=1)
        shine = shine + strength * (normals * half).sum(1, keepdim=True).clamp(min=0) ** 24
    return surface.albedo * received + 0.4 * surface.gloss[:, None] * shine


def _bend(normals: Tensor, bump: Tensor) -> Tensor:
    """Return unit normals, tilted by the part of the bumps that lies in the surface."""
    normals = functional.normalize(normals, dim=1)
    tangent = bump - (bump * normals).sum(1, keepdim=True) * normals
    return functional.normalize(normals + tangent, dim=1)


def find_openness(depth_m: Tensor, reach_px: int = 9, strength: float = 4.0) -> Tensor:
    """Return (b, h, w) in [0.35, 1]: darker where a surface lies behind its surroundings.

    Args:
        depth_m: (b, h, w), infinity where nothing is visible.
        reach_px: half the width of the neighbourhood.
        strength: darkening per metre behind the mean of the neighbourhood.

    Source: Luft, Colditz and Deussen, "Image enhancement by unsharp masking the depth buffer",
    SIGGRAPH 2006.
    """
    seen = depth_m.isfinite()
    filled = torch.where(seen, depth_m, 0.0)
    pooled = torch.stack((filled, seen.to(filled.dtype)), 1)
    for sides in ((2 * reach_px + 1, 1), (1, 2 * reach_px + 1)):
        pooled = functional.avg_pool2d(pooled, sides, 1, (sides[0] // 2, sides[1] // 2))
    around = pooled[:, 0] / pooled[:, 1].clamp(min=1e-6)
    behind = (filled - around).clamp(min=0)
    return (1 - strength * behind).clamp(min=0.35)


def cast_shadows(
    points_m: Tensor,
    scene_m: Tensor,
    lights: Lights,
    floor_m: Tensor,
    intrinsics: Tensor,
    softness_px: int = 2,
) -> Tensor:
    """Return (b, h, w) in [0, 1]: light that remains on the floor beside the people's shadows.

    Every surface point's shadow is projected to the floor at a quarter of the resolution, once
    from the distant light and once straight down, weaker from high up, then blurred.

    Args:
        points_m: (b, n, 3) points of people, a few centimetres apart; camera frame.
        scene_m: (b, h, w, 3) points at the pixels.
        lights: lights of the b images.
        floor_m: (b,) height of the camera above the floor, along `lights.up`.
        intrinsics: (b, 4) fx, fy, cx, cy, pixels.
        softness_px: half the width of the blur, at a quarter of the resolution.
    """
    b, h, w, _ = scene_m.shape
    up = lights.up
    height = torch.einsum("bnk,bk->bn", points_m, up) + floor_m[:, None]
    strength = lights.sun.mean(1) / (lights.sun + lights.sky).mean(1)
    steep = torch.einsum("bk,bk->b", lights.sun_from, up).clamp(min=0.2)
    light_left = torch.ones(b, h, w, device=points_m.device)
    for towards, rise, weight, share in (
        (lights.sun_from, steep, torch.ones_like(height), strength),
        (up, torch.ones_like(steep), torch.exp(-height / 0.35), torch.full_like(steep, 0.7)),
    ):
        dropped = points_m - (height / rise[:, None])[..., None] * towards[:, None]
        density = _splat(dropped, weight, intrinsics, (w // 4, h // 4))
        dark = _soften(1 - torch.exp(-0.7 * density), softness_px, (h, w))
        light_left = light_left * (1 - share[:, None, None] * dark)
    on_floor = (torch.einsum("bhwk,bk->bhw", scene_m, up) + floor_m[:, None, None]).abs() < 0.03
    return torch.where(on_floor, light_left, 1.0)


def _soften(dark: Tensor, reach_px: int, shape: tuple[int, int]) -> Tensor:
    """Blur (b, 1, h/4, w/4) twice with a box filter and enlarge to (b, h, w)."""
    for _ in range(2):
        dark = functional.avg_pool2d(dark, 2 * reach_px + 1, 1, reach_px)
    return functional.interpolate(dark, shape, mode="bilinear", align_corners=False)[:, 0]


def _splat(points_m: Tensor, weights: Tensor, intrinsics: Tensor, size: tuple[int, int]) -> Tensor:
    """Return (b, 1, h, w) sums of weights (b, n) of the points in each cell of 4x4 pixels."""
    (w, h), b = size, len(points_m)
    fx, fy, cx, cy = intrinsics.to(points_m.dtype).T[:, :, None]
    depth = points_m[..., 2].clamp(min=1e-3)
    column = ((points_m[..., 0] / depth * fx + cx + 0.5) / 4).floor().clamp(-1, w)
    row = ((points_m[..., 1] / depth * fy + cy + 0.5) / 4).floor().clamp(-1, h)
    inside = (column >= 0) & (column < w) & (row >= 0) & (row < h) & (points_m[..., 2] > 0.1)
    image = torch.arange(b, device=depth.device)[:, None]
    cell = torch.where(inside, (image * h + row) * w + column, 0).long()
    sums = torch.zeros(b * h * w, device=depth.device)
    sums.index_add_(0, cell.flatten(), torch.where(inside, weights, 0.0).flatten())
    return sums.view(b, 1, h, w)
