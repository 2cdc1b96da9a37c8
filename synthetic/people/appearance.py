"""Random appearance of people: skin, hair, faces, clothes.

Nothing here is an image. An `Outfit` contains numbers for each person; `painting.paint` evaluates
them at the pixels of a rendered body, in coordinates of the rest pose (`Atlas`), so that a hem or
a hairline is sharp at any resolution and moves with the body.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from synthetic.noise import draw_chance, draw_choice, draw_uniform

SKIN, HAIR, HAT, UPPER, INNER, LOWER, SHOE, SOCK = range(8)
LAYERS = 8
PLAIN, STRIPES, PINSTRIPES, CHECKS, BLOTCHES, DOTS, FADE, KNIT, DENIM = range(9)

SKIN_TONES = (
    *((0.95, 0.79, 0.69), (0.89, 0.69, 0.57), (0.80, 0.58, 0.45)),
    *((0.66, 0.45, 0.33), (0.48, 0.32, 0.23), (0.32, 0.21, 0.16)),
)
HAIR_TONES = (
    *((0.07, 0.06, 0.06), (0.16, 0.11, 0.08), (0.30, 0.20, 0.13)),
    *((0.66, 0.52, 0.33), (0.62, 0.61, 0.60), (0.45, 0.22, 0.12)),
)
CLOTH_TONES = (
    *((0.06, 0.06, 0.07), (0.10, 0.12, 0.18), (0.28, 0.28, 0.30), (0.55, 0.55, 0.56)),
    *((0.90, 0.90, 0.88), (0.70, 0.62, 0.50), (0.35, 0.27, 0.20), (0.24, 0.32, 0.46)),
)


class Atlas(NamedTuple):
    """Coordinates on the unposed body, one row per vertex; the same for all people.

    `coordinates` columns: 0-2 rest position, m; 3 along the arm, 0 at the shoulder joint and 1 at
    the wrist; 4 down the leg, 0 at the hip and 1 at the ankle, negative above the hip; 5-7 from
    the tip of the nose, in units of its distance below the crown; 8-10 skinning weights of head,
    hands and feet.
    """

    coordinates: Tensor


def make_atlas(v_template: Tensor, weights: Tensor, joints: Tensor) -> Atlas:
    """Measure a body in SMPL's layout and rest pose (x left, y up, z to the front).

    Args:
        v_template: (v, 3), metres.
        weights: (v, 24) skinning weights in SMPL's joint order.
        joints: (24, 3) of the rest pose, metres.

    Raises:
        ValueError: the shapes do not fit together.
    """
    if weights.shape != (len(v_template), 24) or joints.shape != (24, 3):
        raise ValueError(
            f"weights must be ({len(v_template)}, 24) and joints (24, 3), got "
            f"{tuple(weights.shape)} and {tuple(joints.shape)}; pass arrays of one SMPL model"
        )
    x, y, z = v_template.T
    shoulder, wrist = joints[16:18, 0].abs().mean(), joints[20:22, 0].abs().mean()
    hip, ankle = joints[1:3, 1].mean(), joints[7:9, 1].mean()
    face = (x.abs() < 0.02) & (y > joints[15, 1]) & (y < (joints[15, 1] + 2 * y.max()) / 3)
    nose = v_template[torch.where(face, z, -1.0).argmax()] * torch.tensor([0.0, 1.0, 1.0])
    local = (v_template - nose) / (y.max() - nose[1])
    parts = [weights[:, 15], weights[:, 20:].sum(1), weights[:, [7, 8, 10, 11]].sum(1)]
    columns = [(x.abs() - shoulder) / (wrist - shoulder), (hip - y) / (hip - ankle)]
    return Atlas(torch.column_stack((v_template, *columns, local, *parts)).float())


@dataclass(frozen=True)
class Outfit:
    """n people; lengths along arm and leg are in the atlas's coordinates.

    Attributes:
        sleeve: (n,) where the upper garment's sleeves end.
        hem: (n,) where the upper garment ends.
        neckline: (n,) depth of the neck opening, m.
        opening: (n,) half width at the hem of a jacket's front opening, m; 0 if closed.
        lower_end: (n,) where trousers, shorts or skirt end.
        shoe_top: (n,) where shoes or boots begin.
        hair_end: (n,) lowest hair behind, in the atlas's head coordinates.
        hairline: (n,) receding of the hairline, in the same units; large if bald.
        hair_volume: (n,) thickness of the hair, m.
        beard: (n,) strength, 0 to 1.
        hat: (n,) 1 with a cap.
        glasses: (n,) 1 with glasses.
        looseness: (n,) distance of the upper garment from the body, m.
        flare: (n,) distance of the lower garment from the body, m.
        logo: (n,) half the height of a print on the chest, m.
        tones: (n, 8, 2, 3) two colours for each layer, display values in [0, 1].
        kinds: (n, 8) pattern of each layer.
        scales: (n, 8) length of a pattern's period, m.
        roughness: (n, 8, 3) strength of grain, of folds, and gloss of each layer, 0 to 1.
        seed: (n, 3) offset into the noise volume.
    """

    sleeve: Tensor
    hem: Tensor
    neckline: Tensor
    opening: Tensor
    lower_end: Tensor
    shoe_top: Tensor
    hair_end: Tensor
    hairline: Tensor
    hair_volume: Tensor
    beard: Tensor
    hat: Tensor
    glasses: Tensor
    looseness: Tensor
    flare: Tensor
    logo: Tensor
    tones: Tensor
    kinds: Tensor
    scales: Tensor
    roughness: Tensor
    seed: Tensor

    def __getitem__(self, people: Tensor) -> Outfit:
        """Return the rows of some people."""
        return Outfit(**{field.name: getattr(self, field.name)[people] for field in fields(self)})

    def to(self, device: torch.device | str) -> Outfit:
        """Return a copy on that device."""
        return Outfit(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


def draw_outfits(n: int, generator: Generator, bare: float = 0.0) -> Outfit:
    """Draw n people's appearance.

    Args:
        n: number of people.
        generator: generator on the CPU; the same seed gives the same people.
        bare: fraction of people dressed for sport or summer: bare arms and legs, some without a
            shirt, in one piece or in wide clothes, many with a cap.
    """
    dressed = _draw_dressed(n, generator)
    return _undress(dressed, bare, generator) if bare else dressed


def _draw_dressed(n: int, generator: Generator) -> Outfit:
    long_hair = draw_chance(0.4, (n,), generator)
    bald = draw_chance(0.06, (n,), generator) & ~long_hair
    jacket = draw_chance(0.3, (n,), generator)
    formats = draw_choice((0.66, 0.12, 0.14, 0.08), n, generator)  # trousers, shorts, skirt, coat
    coat = formats == 3
    sleeve_long = draw_chance(0.55, (n,), generator) | jacket | coat
    tones, kinds, scales, roughness = _draw_materials(n, jacket, generator)

    def uniform(low: float, high: float) -> Tensor:
        return draw_uniform(low, high, (n,), generator)

    return Outfit(
        sleeve=torch.where(sleeve_long, uniform(0.85, 1.02), uniform(-0.1, 0.45)),
        hem=torch.where(coat, uniform(0.2, 0.62), uniform(-0.14, 0.10)),
        neckline=uniform(0.0, 0.11) * draw_chance(0.7, (n,), generator),
        opening=uniform(0.02, 0.12) * (jacket & draw_chance(0.7, (n,), generator)),
        lower_end=torch.stack(
            (uniform(0.86, 1.02), uniform(0.3, 0.55), uniform(0.35, 0.85), uniform(0.9, 1.02))
        ).gather(0, formats[None])[0],
        shoe_top=torch.where(
            draw_chance(0.2, (n,), generator), uniform(0.65, 0.9), uniform(0.94, 1.0)
        ),
        hair_end=torch.where(long_hair, uniform(-3.2, -0.9), uniform(-0.45, 0.0)),
        hairline=torch.where(bald, uniform(0.5, 2.0), uniform(-0.08, 0.12)),
        hair_volume=torch.where(long_hair, uniform(0.012, 0.035), uniform(0.003, 0.022)) * ~bald,
        beard=uniform(0.3, 1.0) * (draw_chance(0.3, (n,), generator) & ~long_hair),
        hat=draw_chance(0.12, (n,), generator).float(),
        glasses=draw_chance(0.2, (n,), generator).float(),
        looseness=uniform(0.003, 0.022) + jacket * uniform(0.004, 0.015),
        flare=torch.where(formats == 2, uniform(0.02, 0.06), uniform(0.002, 0.02)),
        logo=uniform(0.03, 0.12) * draw_chance(0.25, (n,), generator),
        tones=tones,
        kinds=kinds,
        scales=scales,
        roughness=roughness,
        seed=draw_uniform(0.0, 100.0, (n, 3), generator),
    )


def _undress(outfits: Outfit, share: float, generator: Generator) -> Outfit:
    """Dress a fraction of people for sport or summer."""
    n = len(outfits.hem)
    changed = draw_chance(share, (n,), generator)
    vest, top, shirtless, suit, wide = (
        changed & (draw_choice((3, 3, 1.5, 1.5, 2), n, generator) == kind) for kind in range(5)
    )
    short, barefoot, capped = (draw_chance(p, (n,), generator) & changed for p in (0.7, 0.2, 0.3))

    def either(where: Tensor, low: float, high: float, usual: Tensor) -> Tensor:
        return torch.where(where, draw_uniform(low, high, (n,), generator), usual)

    sleeve = either(vest | suit, -0.3, 0.0, either(top, 0.1, 0.4, outfits.sleeve))
    hem = either(vest | top, -0.3, 0.05, either(wide, 0.0, 0.25, outfits.hem))
    tones, kinds = outfits.tones.clone(), outfits.kinds.clone()
    tones[:, LOWER] = torch.where(suit[:, None, None], tones[:, UPPER], tones[:, LOWER])
    kinds[:, LOWER] = torch.where(suit, kinds[:, UPPER], kinds[:, LOWER])
    return replace(
        outfits,
        sleeve=sleeve,
        hem=torch.where(shirtless, -9.0, torch.where(suit, 0.1, hem)),  # above the shoulders
        opening=torch.where(changed, 0.0, outfits.opening),
        lower_end=either(short, 0.05, 0.5, outfits.lower_end),
        shoe_top=torch.where(barefoot, 9.0, outfits.shoe_top),  # below the soles
        hat=torch.where(capped, 1.0, outfits.hat),
        looseness=either(wide, 0.02, 0.045, outfits.looseness),
        flare=either(wide, 0.015, 0.05, outfits.flare),
        tones=tones,
        kinds=kinds,
    )


def _draw_cloth_tones(n: int, generator: Generator) -> Tensor:
    """Return (n, 3) colours: mostly common greys, blues and browns, else any hue."""
    worn = torch.tensor(CLOTH_TONES)[draw_choice((6, 4, 3, 3, 3, 2, 2, 3), n, generator)]
    worn = worn * draw_uniform(0.75, 1.15, (n, 1), generator)
    worn = worn + 0.03 * torch.randn(n, 3, generator=generator)
    hue = torch.rand(n, 1, generator=generator)
    wave = (torch.cos(2 * torch.pi * (hue + torch.tensor([0.0, 1 / 3, 2 / 3]))) + 1) / 2
    saturation = draw_uniform(0.2, 0.95, (n, 1), generator)
    bright = draw_uniform(0.15, 0.95, (n, 1), generator) * (1 - saturation * (1 - wave))
    vivid = draw_chance(0.35, (n, 1), generator)
    return torch.where(vivid, bright, worn).clamp(0.02, 0.97)


def _draw_between(palette: tuple[tuple[float, ...], ...], at: Tensor) -> Tensor:
    """Return (n, 3) colours of a palette, interpolated at positions (n,) in [0, 1]."""
    tones = torch.tensor(palette)
    place = at * (len(tones) - 1)
    low = place.long().clamp(max=len(tones) - 2)
    return torch.lerp(tones[low], tones[low + 1], (place - low)[:, None])


def _draw_materials(
    n: int, jacket: Tensor, generator: Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return tones (n, 8, 2, 3), kinds (n, 8), scales (n, 8) and roughness (n, 8, 3)."""
    tones = torch.stack(
        [_draw_cloth_tones(2 * n, generator).view(n, 2, 3) for _ in range(LAYERS)], 1
    )
    skin = _draw_between(SKIN_TONES, torch.rand(n, generator=generator))
    skin = skin * draw_uniform(0.92, 1.06, (n, 3), generator)
    ruddy = skin * torch.tensor([1.02, 0.86, 0.84])
    tones[:, SKIN] = torch.stack((skin, ruddy), 1)
    hair = torch.tensor(HAIR_TONES)[draw_choice((7, 6, 4, 3, 2, 1), n, generator)]
    hair = hair * draw_uniform(0.8, 1.2, (n, 1), generator)
    streaks = hair * draw_uniform(1.1, 1.7, (n, 1), generator)
    tones[:, HAIR] = torch.stack((hair, streaks), 1)
    tones[:, SHOE, 1] = torch.where(draw_chance(0.5, (n, 1), generator), 0.85, 0.12)  # soles
    shape = (n, LAYERS)
    kinds = draw_choice((10, 2, 1, 2, 2, 0.7, 1, 4, 0), n * LAYERS, generator).view(shape)
    denim = draw_choice((11, 0.3, 0.5, 0.6, 0.7, 0.2, 0.4, 1, 7), n, generator)
    kinds[:, LOWER] = denim
    blue = torch.tensor([0.20, 0.28, 0.42]) * draw_uniform(0.5, 1.6, (n, 1), generator)
    tones[:, LOWER, 0] = torch.where(denim[:, None] == DENIM, blue, tones[:, LOWER, 0])
    kinds[:, [SKIN, HAIR, SHOE]] = torch.tensor([BLOTCHES, KNIT, PLAIN])
    kinds[:, UPPER] = torch.where(jacket & (kinds[:, UPPER] == DOTS), PLAIN, kinds[:, UPPER])
    scales = 0.02 + 0.16 * torch.rand(*shape, generator=generator) ** 2
    grain = 0.35 * torch.rand(*shape, generator=generator) ** 2
    folds = draw_uniform(0.15, 0.75, shape, generator)
    gloss = 0.25 * torch.rand(*shape, generator=generator) ** 3
    folds[:, [SKIN, HAIR, SHOE]] = torch.tensor([0.06, 0.3, 0.15])
    gloss[:, [SKIN, HAIR, SHOE]] = torch.tensor([0.10, 0.25, 0.30])
    grain[:, [SKIN, HAIR]] = torch.tensor([0.04, 0.15])
    return tones.clamp(0.01, 0.98), kinds, scales, torch.stack((grain, folds, gloss), -1)
