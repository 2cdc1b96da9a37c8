import math

import numpy as np
import pytest
import torch

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from synthetic.people import casting
from synthetic.people.casting import draw_motion
from synthetic.people.motions import RATE_HZ, Hand, Leg, Motion, interpolate, make_motion

HANDS: tuple[Hand, ...] = ("left", "right")


@pytest.fixture(scope="module")
def body() -> Body:
    return Body(load_builtin_body())


@pytest.fixture(scope="module")
def motion(body: Body) -> Motion:
    legs = [
        Leg("walk", target_m=(2.0, 1.0)),
        Leg("turn", 1.2, heading=math.pi),
        Leg("wave", 1.5),
        Leg("sit", 1.5),
        Leg("stand", 1.0),
    ]
    betas = torch.zeros(10)
    return make_motion(body, betas, legs, (-1.0, 0.0), 0.0, torch.Generator().manual_seed(0))


def world_vertices(body: Body, motion: Motion) -> np.ndarray:
    t = len(motion.rotations)
    betas = torch.zeros(t, 10)
    mesh = body.mesh(torch.from_numpy(motion.rotations).float(), betas)
    return mesh.vertices.double().numpy() + motion.translations_m[:, None]


def stand_in_motion(
    _body: Body,
    betas: torch.Tensor,
    legs: list[Leg],
    start_m: tuple[float, float],
    _heading: float,
    generator: torch.Generator,
    _hand: Hand,
) -> Motion:
    """Return a motion without poses that takes as long as one with them, at a drawn pace."""
    speed_m, place, seconds = 0.9 + 0.5 * torch.rand((), generator=generator).item(), start_m, 0.0
    for leg in legs:
        is_walk = leg.activity == "walk"
        seconds += math.dist(place, leg.target_m) / speed_m if is_walk else leg.duration_s
        place = leg.target_m if is_walk else place
    steps = int(seconds * RATE_HZ) + 1
    rotations = np.broadcast_to(np.eye(3), (steps, 24, 3, 3))
    return Motion(rotations, np.zeros((steps, 3)), betas.double().numpy())


def test_feet_bear_on_the_floor_and_do_not_slide(body: Body, motion: Motion) -> None:
    vertices = world_vertices(body, motion)
    assert np.abs(vertices[..., 2].min(1)).max() < 0.01
    low = vertices[..., 2] < 0.004
    held = low[1:] & low[:-1]
    steps = np.linalg.norm(np.diff(vertices[..., :2], axis=0), axis=2)
    pairs = zip(steps, held, strict=True)
    moved = np.array([row[h].mean() if h.any() else 0.0 for row, h in pairs])
    assert np.median(moved) * RATE_HZ < 0.05  # m/s
    assert np.percentile(moved, 95) * RATE_HZ < 0.35


def test_walkers_arrive(motion: Motion) -> None:
    path = motion.translations_m[:, :2]
    nearest = np.linalg.norm(path - (2.0, 1.0), axis=1).min()
    assert nearest < 0.6
    speed = np.linalg.norm(np.diff(path, axis=0), axis=1).max() * RATE_HZ
    assert speed < 3


def test_no_joint_jumps(motion: Motion) -> None:
    step = np.einsum("tkji,tkjl->tkil", motion.rotations[:-1], motion.rotations[1:])
    angle = np.arccos(np.clip((np.trace(step, axis1=2, axis2=3) - 1) / 2, -1, 1))
    assert angle.max() * RATE_HZ < 15  # rad/s


def test_sitting_lowers_the_pelvis(body: Body, motion: Motion) -> None:
    betas = torch.zeros(len(motion.rotations), 10)
    joints = body.joints(torch.from_numpy(motion.rotations).float(), betas)
    height = joints[:, 0, 2].numpy() + motion.translations_m[:, 2]
    assert height.max() > 0.8
    assert height.min() < 0.65


def test_who_is_right_handed_waves_with_the_right(body: Body) -> None:
    left, right = (
        make_motion(
            body,
            torch.zeros(10),
            [Leg("wave", 2.0)],
            (0.0, 0.0),
            0.0,
            torch.Generator().manual_seed(0),
            hand,
        )
        for hand in HANDS
    )
    for motion, higher, lower in ((left, 20, 21), (right, 21, 20)):
        rotations = torch.from_numpy(motion.rotations[-10:]).float()
        wrists = body.joints(rotations, torch.zeros(10, 10))[..., 2]
        assert (wrists[:, higher] > wrists[:, lower] + 0.2).all()
        moved = np.ptp(motion.rotations[-30:], axis=0).max((1, 2))
        assert moved[higher - 2] > 0.1 > moved[lower - 2]  # the elbows


def test_people_of_scenes_wave_with_either_hand(body: Body) -> None:
    heights = []
    for seed in range(6):
        motion = draw_motion(body, 0, 2.0, torch.Generator().manual_seed(seed))
        waving = torch.from_numpy(motion.rotations[45:46]).float()
        heights.append(body.joints(waving, torch.zeros(1, 10))[0, 20:22, 2])
    left_higher = torch.stack(heights).diff(dim=1) < 0
    assert left_higher.any()
    assert not left_higher.all()


@pytest.mark.parametrize("duration_s", [120.0, 300.0])
@pytest.mark.parametrize("index", [1, 2, 3, 4])
def test_people_of_scenes_move_until_the_end(
    body: Body, index: int, duration_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(casting, "make_motion", stand_in_motion)
    for seed in range(20):
        motion = draw_motion(body, index, duration_s, torch.Generator().manual_seed(seed))
        assert motion.duration_s >= duration_s


def test_time_between_samples_is_on_the_shortest_arc(motion: Motion) -> None:
    rotations, translation = motion.at(10.5 / RATE_HZ)
    start, end = motion.rotations[10], motion.rotations[11]
    np.testing.assert_allclose(rotations, interpolate(start, end, 0.5), atol=1e-6)
    np.testing.assert_allclose(translation, motion.translations_m[10:12].mean(0))
    back = rotations.swapaxes(1, 2)
    np.testing.assert_allclose(back @ start, end.swapaxes(1, 2) @ rotations, atol=1e-5)
    there, _ = motion.at(motion.duration_s + 5)
    np.testing.assert_allclose(there, motion.rotations[-1], atol=1e-6)


def test_nothing_to_do_is_refused(body: Body) -> None:
    with pytest.raises(ValueError, match="at least one activity"):
        make_motion(body, torch.zeros(10), [], (0, 0), 0, torch.Generator())
