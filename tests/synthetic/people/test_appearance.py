"""Appearance: drawn by seed, measured on the body, painted in the right places."""

from dataclasses import fields, replace

import pytest
import torch
from torch import Generator

from synthetic.people.appearance import (
    HAIR,
    KNIT,
    LOWER,
    PLAIN,
    SHOE,
    SKIN,
    STRIPES,
    UPPER,
    Outfit,
    draw_outfits,
    make_atlas,
)
from synthetic.world.painting import Surface, paint, thicken
from tests.synthetic.conftest import Studio


def paint_vertices(studio: Studio, outfits: Outfit, person: int = 0) -> Surface:
    people = torch.full((len(studio.template),), person)
    return paint(studio.atlas.coordinates, outfits, people, studio.volume)


def ordinary(studio: Studio, **changes: float) -> Outfit:
    """A plain pullover to the hip with long sleeves, trousers, low shoes and short hair."""
    garments = {"sleeve": 0.95, "hem": 0.0, "neckline": 0.0, "opening": 0.0, "logo": 0.0}
    legs = {"lower_end": 0.98, "shoe_top": 1.0, "kinds": PLAIN}
    head = {"hair_end": -0.1, "hairline": 0.0, "hat": 0.0, "beard": 0.0, "glasses": 0.0}
    values = garments | legs | head | changes
    looks = studio.outfits
    filled = {name: torch.full_like(getattr(looks, name), v) for name, v in values.items()}
    return replace(looks, **filled)


def test_the_same_seed_gives_the_same_people() -> None:
    one, same, other = (draw_outfits(50, Generator().manual_seed(seed)) for seed in (4, 4, 5))
    for field in fields(Outfit):
        torch.testing.assert_close(getattr(one, field.name), getattr(same, field.name))
    assert not torch.equal(one.tones, other.tones)


def test_people_differ_and_stay_in_range() -> None:
    looks = draw_outfits(400, Generator().manual_seed(0))
    assert (looks.tones > 0).all()
    assert (looks.tones < 1).all()
    skin = looks.tones[:, SKIN, 0]
    assert skin.mean(1).min() < 0.3
    assert skin.mean(1).max() > 0.7
    # Every skin is redder than blue.
    assert (skin[:, 0] > skin[:, 2]).all()
    assert (looks.hair_end < -0.9).float().mean() == pytest.approx(0.4, abs=0.1)
    assert looks.kinds.unique().numel() == 9
    assert len(looks[torch.tensor([3, 5])].hem) == 2


def test_people_dressed_for_summer_show_skin(studio: Studio) -> None:
    """Of arms, legs and trunk; one who is dressed as usual shows little."""
    shown = []
    for bare in (0.0, 1.0):
        looks = draw_outfits(60, Generator().manual_seed(1), bare)
        layers = torch.stack([paint_vertices(studio, looks, person).layer for person in range(60)])
        below = studio.template[:, 1] < 0.2  # without heads
        shown.append((layers[:, below] == SKIN).float().mean(1))
    assert shown[1].mean() > 1.8 * shown[0].mean()
    assert (shown[1] > 0.5).any()
    usual, some = (draw_outfits(60, Generator().manual_seed(1), bare) for bare in (0.0, 0.4))
    same = (usual.sleeve == some.sleeve) & (usual.hem == some.hem) & (usual.hat == some.hat)
    assert 0.5 < same.float().mean() < 0.85


def test_atlas_measures_limbs_and_face(studio: Studio) -> None:
    columns = studio.atlas.coordinates
    wrist = studio.template[:, 0] > 0.78
    assert (columns[wrist, 3] > 1).all()
    sole = studio.template[:, 1] < -1.12
    assert (columns[sole, 4] > 1).all()
    nose = columns[:, 5:8].norm(dim=1).argmin()
    torch.testing.assert_close(
        studio.template[nose], torch.tensor([0.0, 0.4, 0.127]), atol=0.01, rtol=0
    )
    assert columns[:, 6].max() == pytest.approx(1.0)


def test_atlas_names_wrong_shapes(studio: Studio) -> None:
    with pytest.raises(ValueError, match="pass arrays of one SMPL model"):
        make_atlas(studio.template, studio.weights[:, :22], studio.joints)


def test_clothes_lie_where_they_are_worn(studio: Studio) -> None:
    layer = paint_vertices(studio, ordinary(studio)).layer
    x, y, z = studio.template.T
    assert (layer[y < -1.13] == SHOE).all()
    assert (layer[(y < -0.6) & (y > -0.95)] == LOWER).all()
    assert (layer[(x.abs() < 0.1) & (y > -0.1) & (y < 0.1)] == UPPER).all()
    assert (layer[(x.abs() > 0.5) & (x.abs() < 0.6)] == UPPER).all()
    assert (layer[x.abs() > 0.74] == SKIN).all()
    assert (layer[(y > 0.55)] == HAIR).all()
    assert (layer[(y > 0.36) & (y < 0.42) & (z > 0.06)] == SKIN).all()


def test_short_sleeves_bare_the_arms_and_shorts_the_legs(studio: Studio) -> None:
    layer = paint_vertices(studio, ordinary(studio, sleeve=0.3, lower_end=0.4)).layer
    x, y, _ = studio.template.T
    assert (layer[x.abs() > 0.45] == SKIN).all()
    assert (layer[(y < -0.72) & (y > -0.9)] == SKIN).all()


def test_stripes_repeat_and_plain_cloth_does_not(studio: Studio) -> None:
    plain = paint_vertices(studio, ordinary(studio, scales=0.1, roughness=0.0))
    striped = paint_vertices(studio, ordinary(studio, scales=0.1, roughness=0.0, kinds=STRIPES))
    tones = studio.outfits.tones[0, UPPER].square()
    upper = plain.layer == UPPER
    for surface, shades in ((plain, 1), (striped, 2)):
        distance = torch.cdist(surface.albedo[upper], tones)
        assert distance.argmin(1).unique().numel() == shades


def test_rough_cloth_is_bumpy_and_smooth_cloth_is_not(studio: Studio) -> None:
    smooth = paint_vertices(studio, ordinary(studio, roughness=0.0))
    rough = paint_vertices(studio, ordinary(studio, roughness=0.5, kinds=KNIT))
    assert smooth.bump.abs().max() == 0
    assert rough.bump.norm(dim=1).mean() > 0.1


def test_reflectance_is_physical(studio: Studio) -> None:
    surface = paint_vertices(studio, studio.outfits, person=1)
    assert (surface.albedo > 0).all()
    assert (surface.albedo <= 1).all()


def test_clothes_and_hair_stand_off_but_skin_does_not(studio: Studio) -> None:
    looks = ordinary(studio, looseness=0.02, flare=0.02, hair_volume=0.02)
    offset = thicken(studio.atlas, looks, studio.volume)[0]
    layer = paint_vertices(studio, looks).layer
    assert (offset[layer == SKIN] == 0).all()
    assert (offset[layer == UPPER] > 0.002).all()
    assert (offset[(layer == HAIR) & (studio.template[:, 1] > 0.5)] > 0.01).all()
    assert offset.max() < 0.1
