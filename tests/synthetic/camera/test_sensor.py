"""Sensor imperfections: none at strength zero, each with the requested strength."""

from dataclasses import fields, replace

import torch
from torch import Generator

from synthetic.camera.sensor import Sensors, compress, draw_sensors, expose
from synthetic.noise import make_clouds

IMAGES = make_clouds(3, (50, 41), Generator().manual_seed(0)).expand(3, 3, 41, 50) * 0.6 + 0.15


def flawless() -> Sensors:
    return draw_sensors(3, Generator().manual_seed(0), strength=0.0)


def run(sensors: Sensors, seed: int = 0) -> torch.Tensor:
    return expose(IMAGES, sensors, Generator().manual_seed(seed))


def test_strength_zero_only_sets_the_exposure() -> None:
    mean = IMAGES.mean((1, 2, 3), keepdim=True)
    expected = IMAGES * 0.45 / mean
    torch.testing.assert_close(run(flawless()), expected, atol=0.02, rtol=0)


def test_noise_has_the_strength_asked_for() -> None:
    noisy = run(replace(flawless(), noise=torch.full((3,), 0.05))) - run(flawless())
    assert 0.03 < noisy.std() < 0.07
    assert abs(noisy.mean()) < 0.005


def test_blur_and_motion_smooth_in_their_direction() -> None:
    def roughness(sensors: Sensors, axis: int) -> torch.Tensor:
        return run(sensors).diff(dim=axis).abs().mean()

    blurred = replace(flawless(), blur_px=torch.full((3,), 1.6))
    moved = replace(flawless(), motion_px=torch.tensor([[6.0, 0.0]]).expand(3, 2))
    for axis in (2, 3):
        assert roughness(blurred, axis) < 0.95 * roughness(flawless(), axis)
    lost = [1 - roughness(moved, axis) / roughness(flawless(), axis) for axis in (2, 3)]
    assert lost[1] > 2 * lost[0].clamp(min=0)


def test_saturation_zero_is_grey() -> None:
    coloured = IMAGES * torch.tensor([1.0, 0.7, 0.5])[:, None, None]
    grey = expose(
        coloured, replace(flawless(), saturation=torch.zeros(3)), Generator().manual_seed(0)
    )
    assert (grey.amax(1) - grey.amin(1)).max() < 1e-4


def test_compression_loses_more_when_coarser_and_nothing_at_zero() -> None:
    losses = []
    for step in (0.0, 0.01, 0.05):
        losses.append((compress(IMAGES, torch.full((3,), step)) - IMAGES).square().mean().sqrt())
    assert losses[0] < 1e-5
    assert losses[0] < losses[1] < losses[2] < 0.1


def test_harsh_cameras_have_a_fault_each_and_leave_the_others_as_they_are() -> None:
    usual = draw_sensors(400, Generator().manual_seed(0), 0.7)
    some = draw_sensors(400, Generator().manual_seed(0), 0.7, harsh=0.5)
    names = [field.name for field in fields(Sensors)]
    off = {
        name: (getattr(some, name) != getattr(usual, name)).view(400, -1).any(1) for name in names
    }
    spoilt = torch.stack(list(off.values())).any(0)
    assert 0.4 < spoilt.float().mean() < 0.6
    dark = some.balance.mean(1) < 0.8
    assert 0.08 < dark.float().mean() < 0.2
    assert torch.equal(off["noise"], dark)
    assert (some.saturation == 0).any()
    assert some.blur_px.max() > 1.5 > usual.blur_px.max()
    assert (some.motion_px.norm(dim=1) > 3).sum() > 10


def test_values_stay_in_range_and_follow_the_seed() -> None:
    sensors = draw_sensors(3, Generator().manual_seed(1))
    images = run(sensors)
    assert images.shape == IMAGES.shape
    assert ((images >= 0) & (images <= 1)).all()
    torch.testing.assert_close(images, run(sensors), rtol=0, atol=0)
    assert not torch.equal(images, run(sensors, seed=1))
