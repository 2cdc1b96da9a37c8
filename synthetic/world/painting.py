"""Colours of clothes, hair and skin at the pixels of rendered people; sharp at any resolution."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from synthetic.noise import linear_from_srgb, sample_volume
from synthetic.people.appearance import (
    HAIR,
    HAT,
    INNER,
    LOWER,
    SHOE,
    SKIN,
    SOCK,
    UPPER,
    Atlas,
    Outfit,
)

WAIST = -0.13  # height of a belt, along the leg
SOLE = 1.065  # where shoes end and their soles begin, along the leg
CHIN = -0.72  # height of the chin in head coordinates
COLLAR_M = 0.078  # half width of a collar


@dataclass(frozen=True)
class Surface:
    """The surface at n pixels.

    Attributes:
        albedo: (n, 3) linear reflectance in [0, 1].
        bump: (n, 3) vectors added to unit normals, for folds and knit.
        gloss: (n,) strength of the highlight, 0 to 1.
        layer: (n,) visible layer of the outfit.
    """

    albedo: Tensor
    bump: Tensor
    gloss: Tensor
    layer: Tensor


def paint(coordinates: Tensor, outfits: Outfit, people: Tensor, volume: Tensor) -> Surface:
    """Evaluate outfits at pixels.

    Args:
        coordinates: (n, 11) the atlas's coordinates at the pixels.
        outfits: outfits of all people.
        people: (n,) the row of `outfits` for each pixel.
        volume: noise of at least four channels from `make_volume`.
    """
    rest = coordinates[:, :3]
    seed = outfits.seed[people]
    coarse = sample_volume(volume, rest * 11 + seed)
    middle = sample_volume(volume, rest * coordinates.new_tensor([38.0, 22.0, 38.0]) + seed)
    # On the head, grain is stretched downwards into strands of hair.
    drawn_out = 1 - 0.92 * coordinates[:, 8]
    thread = torch.stack((rest[:, 0], rest[:, 1] * drawn_out, rest[:, 2]), 1)
    grain = sample_volume(volume, thread * 170 + seed)
    layer = _find_layers(coordinates, outfits, people, coarse)
    tones = outfits.tones[people, layer]  # (n, 2, 3)
    strengths = outfits.roughness[people, layer]
    mix = _weave(coordinates, outfits, people, layer, coarse, middle, grain)
    albedo = torch.lerp(tones[:, 0], tones[:, 1], mix[:, None])
    albedo = albedo * (1 + strengths[:, :1] * grain[:, 3:] + 0.08 * coarse[:, 3:])
    albedo = _draw_faces(albedo, coordinates, outfits, people, layer)
    folds = coarse[:, :3] + 0.7 * middle[:, :3]
    bump = strengths[:, 1:2] * folds + 0.5 * strengths[:, :1] * grain[:, :3]
    return Surface(linear_from_srgb(albedo.clamp(0.01, 1)), bump, strengths[:, 2], layer)


def _find_layers(coordinates: Tensor, outfits: Outfit, people: Tensor, noise: Tensor) -> Tensor:
    """Return (n,) the layer that covers each pixel; later ones lie over earlier ones."""
    x, _, z, arm, down = coordinates[:, :5].T
    head_x, head_y, head_z = coordinates[:, 5:8].T
    sleeve, hem, lower_end = outfits.sleeve[people], outfits.hem[people], outfits.lower_end[people]
    neckline, opening = outfits.neckline[people], outfits.opening[people]
    shoe_top, hat = outfits.shoe_top[people], outfits.hat[people]
    wave = 0.012 * noise[:, 0]
    layer = torch.full_like(people, SKIN)
    layer[down > shoe_top - 0.1] = SOCK
    layer[down > shoe_top] = SHOE
    layer[(down > WAIST) & (down + wave < lower_end) & ((down < shoe_top) | (shoe_top > 0.92))] = (
        LOWER
    )
    around_neck = torch.hypot(x, z + 0.02) < COLLAR_M
    v_shape = (z > 0) & (x.abs() < 0.02 + 0.6 * (neckline + (head_y + 1.25) * 0.136))
    bare = around_neck & (head_y > -1.15) | (v_shape & (neckline > 0.01)) | (head_y > CHIN)
    upper = (down + wave < hem) & (arm + wave < sleeve) & ~bare
    layer[upper] = UPPER
    gap = upper & (z > 0) & (x.abs() < opening * (1 + down).clamp(min=0.3)) & (arm < 0)
    layer[gap] = torch.where(down[gap] < 0.02, INNER, LOWER)
    layer[find_hair(coordinates, outfits, people, noise)] = HAIR
    layer[(hat > 0) & (head_y > 0.6 - 0.12 * (head_z + 1).abs()) & (head_x.abs() < 2)] = HAT
    return layer


def find_hair(coordinates: Tensor, outfits: Outfit, people: Tensor, noise: Tensor) -> Tensor:
    """Return (n,) True where there is hair; noise (n, c) frays its edge."""
    x, _, z = coordinates[:, :3].T
    side, up, front = coordinates[:, 5:8].T
    back = -front  # 0 at the tip of the nose, about 1 at the ears, 1.7 behind
    line = outfits.hairline[people]
    end = outfits.hair_end[people]
    forehead = 0.74 + line - 0.55 * ((back - 0.55) / 0.4).clamp(0, 1)
    nape = torch.where(back > 1.12, end, forehead)
    fray = 0.07 * noise[:, 1]
    scalp = (up + fray > nape) & (up > -1.1) & (coordinates[:, 8] > 0.1)
    falling = (end < -0.6) & (up + 2 * fray > end) & (up < 0.4)
    falling &= (z < torch.where(up > CHIN, 0.035, -0.02)) & (x.abs() < 0.09 + 0.02 * noise[:, 2])
    ear = (side.abs() > 0.56) & ((back - 0.97).abs() < 0.22) & (up > -0.15) & (up < 0.45)
    hair: Tensor = (scalp & (back > 0.25) | falling) & ~ear
    return hair


def _weave(
    coordinates: Tensor,
    outfits: Outfit,
    people: Tensor,
    layer: Tensor,
    coarse: Tensor,
    middle: Tensor,
    grain: Tensor,
) -> Tensor:
    """Return (n,) the fraction of the second colour, by the layer's pattern."""
    x, y, z, arm, down = coordinates[:, :5].T
    kinds, scale = outfits.kinds[people, layer], outfits.scales[people, layer]
    along = torch.where(arm > 0.02, x, y) / scale
    across = torch.where(arm > 0.02, y, x) / scale

    ring, stave = (((phase % 1) < 0.4).float() for phase in (along, across))
    blotches = (middle[:, 0] + 0.5 * coarse[:, 1]) * 3
    dots = torch.hypot(along % 1 - 0.5, across % 1 - 0.5) < 0.28
    worn = (0.8 - 7 * (down - 0.35).square()) * (z > -0.02)
    choices = torch.stack(
        (
            torch.zeros_like(x),
            ring,
            ((across * 3 % 1) < 0.4) * 0.6,
            (ring + stave) / 2,
            torch.sigmoid(4 * blotches),
            dots.float(),
            (down + 0.8).clamp(0, 1),
            0.5 + 0.35 * grain[:, 1] + 0.3 * middle[:, 1],
            0.12 * worn.clamp(0, 1) + 0.1 * grain[:, 2].abs(),
        )
    )
    mix = choices.gather(0, kinds[None])[0]
    mix = torch.where(layer == SKIN, 0.5 + 0.5 * coarse[:, 1], mix)
    mix = torch.where(layer == HAIR, _comb(coordinates, outfits, people, grain), mix)
    mix = torch.where(layer == SHOE, (down > SOLE).float(), mix).clamp(0, 1)
    printed = _find_logo(coordinates, outfits, people) & (layer == UPPER)
    return torch.where(printed, (blotches > 0).float(), mix)


def _find_logo(coordinates: Tensor, outfits: Outfit, people: Tensor) -> Tensor:
    """Return (n,) True within the rectangle of a print on the chest and the back."""
    size = outfits.logo[people]
    inside: Tensor = (coordinates[:, 1] - 0.08).abs() < size
    return inside & (coordinates[:, 0].abs() < 1.2 * size)


def _comb(coordinates: Tensor, outfits: Outfit, people: Tensor, grain: Tensor) -> Tensor:
    """Return (n,) strands: noise stretched downwards, lighter towards the ends."""
    turn = torch.atan2(coordinates[:, 5], -coordinates[:, 7] - 0.6)
    strands = torch.sin(turn * 41 + 9 * grain[:, 0]) + torch.sin(turn * 17 + coordinates[:, 6] * 4)
    comb: Tensor = 0.35 + 0.2 * strands - 0.25 * coordinates[:, 6]
    return comb


def _draw_faces(
    albedo: Tensor, coordinates: Tensor, outfits: Outfit, people: Tensor, layer: Tensor
) -> Tensor:
    """Add eyes, brows, lips, a beard and glasses to (n, 3) colours."""
    index = ((coordinates[:, 7] > -1.1) & (coordinates[:, 8] > 0.3)).nonzero()[:, 0]
    x, y, z = coordinates[index, 5:8].T
    x = x.abs()
    person, bare = people[index], layer[index] == SKIN
    colour = albedo[index]
    hair = outfits.tones[person, HAIR, 0]
    front = bare & (z > -0.75)

    def lay(over: Tensor, where: Tensor, strength: float | Tensor) -> None:
        share = (where * torch.as_tensor(strength, device=where.device))[:, None]
        colour.copy_(torch.lerp(colour, over.expand_as(colour), share.to(colour.dtype)))

    def oval(at_x: float, at_y: float, half_x: float, half_y: float) -> Tensor:
        inside = ((x - at_x) / half_x).square() + ((y - at_y) / half_y).square() < 1
        shape: Tensor = front & inside
        return shape

    stubble = bare & (y < -0.06 + 0.2 * (x - 0.35).clamp(min=0)) & (y > -0.85) & (z > -0.95)
    lay(hair, stubble, outfits.beard[person] * 0.8)
    lay(
        colour * torch.tensor([0.85, 0.6, 0.6], device=colour.device),
        oval(0, -0.28, 0.19, 0.065),
        0.8,
    )
    lay(colour * 0.75, oval(0.23, 0.22, 0.17, 0.1), 0.7)
    lay(colour.new_tensor([0.85, 0.83, 0.8]), oval(0.23, 0.22, 0.1, 0.045), 0.8)
    lay(colour.new_tensor([0.12, 0.09, 0.07]), oval(0.23, 0.22, 0.05, 0.05), 0.9)
    lay(hair * 0.8, oval(0.25, 0.4, 0.17, 0.04), 0.75)
    rim = torch.maximum((x - 0.25).abs() / 0.19, (y - 0.2).abs() / 0.14)
    frame = front & ((rim - 0.92).abs() < 0.13) | ((y - 0.26).abs() < 0.035) & (x > 0.42)
    lay(colour.new_tensor(0.05), frame & (layer[index] == SKIN), outfits.glasses[person])
    return albedo.index_copy(0, index, colour)


def thicken(atlas: Atlas, outfits: Outfit, volume: Tensor) -> Tensor:
    """Return (n, v) distances of clothes and hair from the skin along the normals, metres."""
    n, v = len(outfits.hem), len(atlas.coordinates)
    people = torch.arange(n, device=volume.device).repeat_interleave(v)
    coordinates = atlas.coordinates.repeat(n, 1)
    noise = sample_volume(volume, coordinates[:, :3] * 11 + outfits.seed[people])
    layer = _find_layers(coordinates, outfits, people, noise)
    hair, head = layer == HAIR, coordinates[:, 6]
    loose = outfits.looseness[people] * (0.6 + 0.4 * noise[:, 2])
    flare = outfits.flare[people] * (coordinates[:, 4] + 0.35).clamp(0, 1.2)
    volume_m = outfits.hair_volume[people] * (1.3 + 0.3 * noise[:, 2])
    # Long hair fills the hollow of the neck and gets thinner towards its ends on the back.
    below = ((-0.1 - head) / 0.7).clamp(0, 1)
    ends = ((head - outfits.hair_end[people]) / 0.8).clamp(0, 1)
    volume_m = torch.lerp(volume_m, volume_m.clamp(min=0.012) * 2.2 * ends, below)
    offset = torch.zeros(n * v, device=volume.device)
    for kind, thickness in (
        (UPPER, loose),
        (LOWER, flare),
        (INNER, loose * 0.5),
        (HAIR, volume_m),
    ):
        offset = torch.where(layer == kind, thickness, offset)
    offset = torch.where(hair | (layer != SHOE), offset, 0.006)
    return torch.where(layer == HAT, 0.014, offset).view(n, v)
