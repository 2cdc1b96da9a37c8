"""Light: linear in reflectance, darker in crevices, with shadows at the feet."""

from dataclasses import replace

import torch
from torch import Generator
from torch.nn import functional

from synthetic.world.lighting import cast_shadows, draw_lights, find_openness, light, tune
from synthetic.world.painting import Surface

UP = torch.tensor([[0.0, -1.0, 0.0]])
LIGHTS = draw_lights(UP, Generator().manual_seed(2))


def matt(albedo: float, n: int) -> Surface:
    zero = torch.zeros(n)
    return Surface(torch.full((n, 3), albedo), torch.zeros(n, 3), zero, zero.long())


def lit(albedo: float, normals: torch.Tensor) -> torch.Tensor:
    n = len(normals)
    points = torch.tensor([[0.0, 0.0, 3.0]]).expand(n, 3)
    return light(matt(albedo, n), normals, points, torch.zeros(n, dtype=torch.long), LIGHTS)


def test_light_is_proportional_to_reflectance() -> None:
    normals = functional.normalize(torch.randn(50, 3, generator=Generator().manual_seed(0)), dim=1)
    torch.testing.assert_close(lit(0.6, normals), 2 * lit(0.3, normals))
    assert (lit(0.3, normals) > 0).all()


def test_the_side_towards_the_sun_is_brighter() -> None:
    sun = torch.cat((LIGHTS.sun_from, -LIGHTS.sun_from))
    bright, dark = lit(0.5, sun)
    assert (bright > dark).all()


def test_openness_falls_behind_an_edge_only() -> None:
    depth = torch.full((1, 40, 40), 3.0)
    depth[:, :, :20] = 2.8
    openness = find_openness(depth, reach_px=5)
    assert (openness[:, 10:30, 8:20] > 0.9999).all()  # in front of the step
    assert (openness[:, 10:30, 28:32] > 0.9999).all()  # flat and far from it
    # Just behind it, 5, 4, ... of the 11 neighbouring columns are 0.2 m nearer, at 4 per metre.
    expected = 1 - 4 * 0.2 * torch.tensor([5.0, 4.0, 3.0, 2.0, 1.0]) / 11
    torch.testing.assert_close(openness[0, 20, 20:25], expected, atol=1e-5, rtol=0)
    empty = torch.full((1, 20, 20), torch.inf)
    assert (find_openness(empty) == 1).all()


def test_shadow_lies_under_what_stands_on_the_floor() -> None:
    # A camera 1 m above a floor y = 1, and a bush of points 0.6 m wide, 4 m away.
    fx, size = 60.0, 64
    y, x = torch.meshgrid(torch.arange(size) - 20.0, torch.arange(size) - 32.0, indexing="ij")
    depth = torch.where(y > 0, fx / y.clamp(min=1e-3), 100.0)
    scene = torch.stack((x / fx * depth, y / fx * depth, depth), -1)[None]
    bush = torch.rand(1, 4000, 3, generator=Generator().manual_seed(0)) - 0.5
    bush = bush * torch.tensor([0.6, 1.0, 0.6]) + torch.tensor([0.0, 0.5, 4.0])
    above = replace(LIGHTS, sun_from=UP)
    left = cast_shadows(bush, scene, above, torch.ones(1), torch.tensor([[fx, fx, 32.0, 20.0]]))[0]
    foot = left[35, 32]  # 1 m down at 4 m is 15 pixels below the horizon
    assert foot < 0.8
    assert left[35, 60] > 0.99
    assert (left[:20] == 1).all()  # the wall is not the floor
    assert left.min() > 0


def test_lights_take_the_brightness_and_colour_of_a_picture() -> None:
    """In the mean of many; each is somewhat brighter or darker than its picture."""
    n = 300
    lights = draw_lights(UP.expand(n, 3), Generator().manual_seed(0))
    tones = torch.tensor([[0.05, 0.05, 0.05], [0.5, 0.5, 0.5], [0.3, 0.2, 0.1]])
    strengths = []
    for tone in tones:
        backdrops = tone[None, :, None, None].expand(n, 3, 4, 4)
        tuned = tune(lights, backdrops, Generator().manual_seed(1))
        strengths.append(tuned.sky / lights.sky)
        torch.testing.assert_close(tuned.sun / lights.sun, strengths[-1])
        assert torch.equal(tuned.sun_from, lights.sun_from)
    dark, bright, warm = (each.log().mean(0).exp() for each in strengths)
    assert (bright > 2.5 * dark).all()
    assert warm[0] > 1.3 * warm[2]
    assert strengths[0].std(0).min() > 0.1
