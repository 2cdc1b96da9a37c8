"""Backdrops and occluders: correct depth, reproducible by seed, and occluding shapes."""

from dataclasses import fields, replace

import pytest
import torch
from torch import Generator, Tensor

from synthetic.noise import make_volume, sample_volume
from synthetic.world.abstract import draw_abstract
from synthetic.world.background import Backdrop, render_rooms
from synthetic.world.lighting import draw_lights
from synthetic.world.occluders import draw_occlusion
from synthetic.world.rooms import Rooms, draw_rooms

SIZE = (60, 40)
INTRINSICS = torch.tensor([[40.0, 40.0, 29.5, 19.5]])
# Looking along the world's x axis from 1.5 m above its origin.
WORLD_FROM_CAMERA = torch.tensor(
    [[[0.0, 0.0, 1.0, 0.0], [-1.0, 0.0, 0.0, 0.0], [0.0, -1.0, 0.0, 1.5], [0.0, 0.0, 0.0, 1.0]]]
)
VOLUME = make_volume(Generator().manual_seed(0))
LIGHTS = draw_lights(torch.tensor([[0.0, -1.0, 0.0]]), Generator().manual_seed(1))


def empty_room(**changes: Tensor) -> Rooms:
    room = draw_rooms(1, Generator().manual_seed(2), outdoors=0.0)
    values = {
        "low": torch.tensor([[-2.0, -3.0, 0.0]]),
        "high": torch.tensor([[4.0, 3.0, 2.5]]),
        "box_half": torch.zeros_like(room.box_half),
    }
    return replace(room, **(values | changes))


def render(room: Rooms, **options: int) -> Backdrop:
    return render_rooms(room, LIGHTS, INTRINSICS, WORLD_FROM_CAMERA, SIZE, VOLUME, **options)


def test_floor_wall_and_ceiling_have_their_depth() -> None:
    depth = render(empty_room()).depth_m[0]
    y = torch.arange(40) - 19.5
    expected = torch.full((40,), 4.0)  # the wall
    expected = torch.minimum(expected, torch.where(y > 0, 1.5 * 40 / y, torch.inf))
    expected = torch.minimum(expected, torch.where(y < 0, -1.0 * 40 / y, torch.inf))
    torch.testing.assert_close(depth[:, 30], expected)


def test_furniture_stands_before_the_wall() -> None:
    room = empty_room()
    half = torch.zeros_like(room.box_half)
    half[0, 3] = torch.tensor([0.5, 0.5, 0.4])
    centre = torch.zeros_like(room.box_centre)
    centre[0, 3] = torch.tensor([3.0, 0.0, 1.5])
    turned = torch.zeros_like(room.box_yaw)
    # Rotated by 45 degrees, its edge points at the camera; the middle pixels are half a pixel off.
    for yaw, front in ((0.0, 2.5), (torch.pi / 4, (3 - 0.5 * 2**0.5) / (1 - 0.5 / 40))):
        turned[0, 3] = yaw
        depth = render(replace(room, box_half=half, box_centre=centre, box_yaw=turned)).depth_m[0]
        assert depth[20, 29:31].min() == pytest.approx(front, abs=1e-4)
        assert depth[20, 5] > 3.0


def test_walls_make_room_for_the_camera() -> None:
    room = empty_room(high=torch.tensor([[-1.0, 3.0, 2.5]]))
    assert render(room).depth_m.min() > 0.25


def test_light_is_positive_and_the_place_is_kept_when_shrunk() -> None:
    full, small = render(empty_room()), render(empty_room(), shrink=2)
    assert (full.colour > 0).all()
    assert small.colour.shape == full.colour.shape
    assert (small.depth_m / full.depth_m - 1).abs().median() < 0.05
    assert (small.colour - full.colour).abs().mean() < 0.05


def test_rooms_follow_their_seed_and_differ() -> None:
    one, same = (draw_rooms(40, Generator().manual_seed(7)) for _ in range(2))
    for field in fields(Rooms):
        torch.testing.assert_close(getattr(one, field.name), getattr(same, field.name))
    assert (one.low < 0).all(1).logical_not().sum() == 40  # the floor is at zero
    assert (one.low[:, :2] < -1).all()
    assert (one.high[:, :2] > 1).all()
    assert one.outdoors.any()
    assert not one.outdoors.all()
    # No furniture stands where people move, around the origin.
    assert (one.box_centre[..., :2].norm(dim=2) > 1.1).all()


def test_abstract_backdrops_follow_their_seed() -> None:
    one, same = (draw_abstract(4, SIZE, Generator().manual_seed(3)) for _ in range(2))
    torch.testing.assert_close(one, same)
    assert one.shape == (4, 3, 40, 60)
    assert ((one >= 0) & (one <= 1)).all()
    assert one.flatten(2).std(2).min() > 0.005


def test_occluders_hide_and_leave_the_rest() -> None:
    hidden = draw_occlusion(64, SIZE, Generator().manual_seed(5), presence=0.3, truncation=0.1)
    images = torch.full((64, 3, 40, 60), 0.4)
    covered = hidden.cover(images)
    mask = hidden.mask[:, None].expand_as(images)
    assert (covered[~mask] == 0.4).all()
    torch.testing.assert_close(covered[mask], hidden.colour[mask])
    share = hidden.mask.float().mean((1, 2))
    assert 0.03 < share.mean() < 0.5
    assert (share == 0).any()
    none = draw_occlusion(8, SIZE, Generator().manual_seed(5), presence=0.0, truncation=0.0)
    assert not none.mask.any()


def test_truncation_is_a_black_border() -> None:
    cut = draw_occlusion(30, SIZE, Generator().manual_seed(5), presence=0.0, truncation=1.0)
    assert cut.mask[:, 0, 0].all()
    assert not cut.mask[:, 20, 30].any()
    assert (cut.colour == 0).all()


def test_noise_is_smooth_and_equals_its_lattice() -> None:
    nodes = torch.tensor([[0.0, 0.0, 0.0], [3.0, 2.0, 1.0]])
    at = VOLUME[0, :, 16, 15, 15]
    values = sample_volume(VOLUME, torch.tensor([[-0.5, -0.5, 0.5]]))
    torch.testing.assert_close(values[0], at, atol=1e-5, rtol=1e-5)
    step = sample_volume(VOLUME, nodes + 0.01) - sample_volume(VOLUME, nodes)
    assert step.abs().max() < 0.1


def test_occluders_look_as_the_texture_and_lie_where_they_lay() -> None:
    texture = torch.rand(20, 3, SIZE[1], SIZE[0], generator=Generator().manual_seed(1)) + 1
    plain, textured = (
        draw_occlusion(20, SIZE, Generator().manual_seed(5), presence=0.5, texture=look)
        for look in (None, texture)
    )
    assert torch.equal(plain.mask, textured.mask)
    lit = (textured.colour > 0).any(1)
    assert lit.any()
    torch.testing.assert_close(
        textured.colour, torch.where(lit[:, None], texture, torch.zeros(()))
    )
    assert torch.equal(lit, (plain.colour > 0).any(1))
