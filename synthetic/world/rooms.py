"""Random rooms and streets: a box with fixtures on its walls and furniture in it.

The world's axes are ROS's: z up, the floor at z = 0, metres. Rooms surround the origin.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Generator, Tensor

from synthetic.noise import draw_chance, draw_choice, draw_uniform

PLAIN, PLANKS, TILES, BRICKS, BANDS, MARBLE, CARPET, FACADE = range(8)
FLOOR, CEILING = 4, 5  # surfaces 0 to 3 are the walls at x low, x high, y low, y high
SHELL = 6  # surfaces of the room itself; furniture follows
FIXTURES = 3  # doors, windows, pictures on each wall
FURNITURE = 8

WALL_TONES = (
    *((0.90, 0.90, 0.90), (0.86, 0.83, 0.76), (0.74, 0.78, 0.82), (0.62, 0.62, 0.62)),
    *((0.80, 0.70, 0.55), (0.55, 0.65, 0.55), (0.60, 0.38, 0.32), (0.35, 0.36, 0.40)),
)
FLOOR_TONES = (
    *((0.58, 0.36, 0.20), (0.72, 0.55, 0.36), (0.38, 0.25, 0.16), (0.50, 0.50, 0.50)),
    *((0.70, 0.68, 0.64), (0.30, 0.32, 0.36), (0.45, 0.20, 0.18), (0.33, 0.42, 0.28)),
)


@dataclass(frozen=True)
class Rooms:
    """b rooms with s = 6 + 8 surfaces.

    Attributes:
        low: (b, 3) corner of the room with the smallest coordinates, m; z is 0.
        high: (b, 3) corner with the largest, m.
        box_centre: (b, 8, 3) of the furniture, m.
        box_half: (b, 8, 3) half extents, m; 0 if absent.
        box_yaw: (b, 8) rotation about z, rad.
        fixture: (b, 4, 3, 4) rectangles u low, v low, u high, v high on each wall, m; u runs along
            the wall from the room's middle, v is the height.
        fixture_tone: (b, 4, 3, 3) display values in [0, 1].
        skirting: (b,) height of the skirting board, m.
        tones: (b, s, 2, 3) two colours per surface, display values in [0, 1].
        kinds: (b, s) pattern of each surface.
        scales: (b, s) size of the pattern's element, m.
        grain: (b, s) strength of fine noise.
        outdoors: (b,) True for streets, which have a sky.
    """

    low: Tensor
    high: Tensor
    box_centre: Tensor
    box_half: Tensor
    box_yaw: Tensor
    fixture: Tensor
    fixture_tone: Tensor
    skirting: Tensor
    tones: Tensor
    kinds: Tensor
    scales: Tensor
    grain: Tensor
    outdoors: Tensor

    def to(self, device: torch.device | str) -> Rooms:
        """Return a copy on that device."""
        return Rooms(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


def draw_rooms(b: int, generator: Generator, *, outdoors: float = 0.25) -> Rooms:
    """Draw b places from a CPU generator, a fraction of them streets."""
    street = draw_chance(outdoors, (b,), generator)
    reach = draw_uniform(1.5, 5.0, (b, 4), generator) * (1 + 3 * street[:, None])
    height = torch.where(
        street, draw_uniform(6.0, 20.0, (b,), generator), draw_uniform(2.4, 4.0, (b,), generator)
    )
    low = torch.column_stack((-reach[:, 0], -reach[:, 1], torch.zeros(b)))
    high = torch.column_stack((reach[:, 2], reach[:, 3], height))
    centre, half, yaw = _draw_furniture(low, high, generator)
    fixture, fixture_tone = _draw_fixtures(low, high, generator)
    tones, kinds, scales, grain = _draw_surfaces(b, street, generator)
    skirting = draw_uniform(0.04, 0.18, (b,), generator) * draw_chance(0.6, (b,), generator)
    return Rooms(
        low=low,
        high=high,
        box_centre=centre,
        box_half=half,
        box_yaw=yaw,
        fixture=fixture * ~street[:, None, None, None],
        fixture_tone=fixture_tone,
        skirting=skirting,
        tones=tones,
        kinds=kinds,
        scales=scales,
        grain=grain,
        outdoors=street,
    )


def _draw_tones(palette: tuple[tuple[float, ...], ...], n: int, generator: Generator) -> Tensor:
    """Return (n, 3) colours near those of a palette."""
    pick = draw_choice((1.0,) * len(palette), n, generator)
    tones = torch.tensor(palette)[pick] * draw_uniform(0.75, 1.15, (n, 1), generator)
    return (tones + 0.03 * torch.randn(n, 3, generator=generator)).clamp(0.03, 0.97)


def _draw_furniture(
    low: Tensor, high: Tensor, generator: Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Return centres, half extents and yaws of tables, cupboards, pillars and clutter."""
    b = len(low)
    span = (high - low)[:, None, :2]
    place = low[:, None, :2] + span * torch.rand(b, FURNITURE, 2, generator=generator)
    # Away from the middle, where people stand.
    away = place.norm(dim=2, keepdim=True).clamp(min=1e-3)
    place = place * (away.clamp(min=1.2) / away)
    # Half of it stands at a wall.
    side = torch.rand(b, FURNITURE, 2, generator=generator) < torch.tensor([0.25, 0.25])
    edge = torch.where(
        torch.rand(b, FURNITURE, 2, generator=generator) < 0.5, low[:, None, :2], high[:, None, :2]
    )
    place = torch.where(side, edge, place)
    wide = draw_uniform(0.1, 0.6, (b, FURNITURE, 2), generator)
    tall = draw_uniform(0.15, 1.1, (b, FURNITURE, 1), generator)
    centre = torch.cat((place, tall), 2)  # boxes stand on the floor
    half = torch.cat((wide, tall), 2)
    yaw = draw_uniform(0, 3.14, (b, FURNITURE), generator) * draw_chance(
        0.4, (b, FURNITURE), generator
    )
    yaw = yaw * ~side.any(2)
    # Boxes 0 and 1 are the top and the leg of a table, 2 is a pillar.
    table = draw_uniform(0.68, 1.1, (b,), generator)
    centre[:, 1, :2] = centre[:, 0, :2]
    centre[:, 0, 2], half[:, 0, 2] = table, 0.02
    centre[:, 1, 2], half[:, 1, 2] = table / 2, table / 2
    half[:, 1, :2] = draw_uniform(0.02, 0.06, (b, 1), generator)
    pillar = high[:, 2] / 2
    centre[:, 2, 2], half[:, 2, 2] = pillar, pillar
    half[:, 2, :2] = draw_uniform(0.1, 0.3, (b, 2), generator)
    present = torch.rand(b, FURNITURE, generator=generator) < draw_uniform(
        0.1, 0.9, (b, 1), generator
    )
    present[:, 1] = present[:, 0]
    return centre, half * present[..., None], yaw


def _draw_fixtures(low: Tensor, high: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Return rectangles on walls and their colours: a door, and windows or pictures."""
    b = len(low)
    shape = (b, 4, FIXTURES)
    reach = (high - low)[:, [1, 1, 0, 0]] / 2  # walls at x run along y
    middle = reach[:, :, None] * draw_uniform(-0.9, 0.9, shape, generator)
    width = draw_uniform(0.2, 0.8, shape, generator)
    bottom = draw_uniform(0.7, 1.6, shape, generator)
    top = bottom + draw_uniform(0.3, 1.3, shape, generator)
    width[..., 0] = draw_uniform(0.4, 0.5, (b, 4), generator)
    bottom[..., 0], top[..., 0] = 0.0, 2.05
    there = draw_chance(0.45, shape, generator)
    rectangles = torch.stack((middle - width, bottom, middle + width, top), -1)
    tone = draw_uniform(0.05, 1.0, (*shape, 1), generator)
    tone = tone * draw_uniform(0.7, 1.0, (*shape, 3), generator)
    return rectangles * there[..., None], tone


def _draw_surfaces(
    b: int, street: Tensor, generator: Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return tones (b, s, 2, 3), kinds, scales and grain (b, s)."""
    s = SHELL + FURNITURE
    tones = _draw_tones(WALL_TONES, b * s * 2, generator).view(b, s, 2, 3)
    walls = tones[:, :1].expand(b, 4, 2, 3)
    tones[:, :4] = torch.where(draw_chance(0.7, (b, 1, 1, 1), generator), walls, tones[:, :4])
    floor = _draw_tones(FLOOR_TONES, b, generator)
    # Boards and tiles of one floor resemble each other; so do the two tones of a wall.
    tones[:, FLOOR, 0] = floor
    tones[:, FLOOR, 1] = floor * draw_uniform(0.55, 1.2, (b, 1), generator)
    tones[:, :4, 1] = tones[:, :4, 0] * draw_uniform(0.7, 1.1, (b, 4, 1), generator)
    tones[:, CEILING] = tones[:, CEILING] * 0.3 + 0.6
    tones[:, SHELL + 1] = tones[:, SHELL]
    wood = _draw_tones(FLOOR_TONES, b * FURNITURE * 2, generator).view(b, FURNITURE, 2, 3)
    tones[:, SHELL:] = torch.where(
        draw_chance(0.5, (b, FURNITURE, 1, 1), generator), wood, tones[:, SHELL:]
    )
    kinds = draw_choice((10, 0, 0.5, 0.7, 0.8, 1, 0.5, 0), b * s, generator).view(b, s)
    kinds[:, 1:4] = torch.where(draw_chance(0.7, (b, 1), generator), kinds[:, :1], kinds[:, 1:4])
    kinds[:, FLOOR] = draw_choice((1.5, 5, 3, 0, 0.2, 1.5, 2, 0), b, generator)
    facade = draw_choice((1, 0, 0, 2, 0, 1, 0, 6), b * 4, generator).view(b, 4)
    kinds[:, :4] = torch.where(street[:, None], facade, kinds[:, :4])
    kinds[:, FLOOR] = torch.where(street & (kinds[:, FLOOR] == PLANKS), CARPET, kinds[:, FLOOR])
    kinds[:, CEILING] = PLAIN
    scales = draw_uniform(0.05, 0.4, (b, s), generator)
    scales = torch.where(kinds == FACADE, scales * 3 + 1.2, scales)
    grain = 0.12 * torch.rand(b, s, generator=generator) ** 2
    return tones.clamp(0.02, 0.98), kinds, scales, grain
