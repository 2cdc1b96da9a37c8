import numpy as np
import torch

from synthetic.noise import srgb_from_linear
from synthetic.world.clutter import draw_clutter

SIDE = 128


def test_images_are_light_and_follow_the_seed() -> None:
    first, again, other = (
        draw_clutter(2, (64, 48), torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert first.shape == (2, 3, 48, 64)
    assert ((first >= 0) & (first <= 1)).all()
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_power_falls_with_frequency_as_in_photos() -> None:
    """Nearly as its square: the slope of photos is -2, of white noise 0, of one edge -3."""
    images = draw_clutter(16, (SIDE, SIDE), torch.Generator().manual_seed(0))
    grey = srgb_from_linear(images).mean(1).numpy()
    window = np.hanning(SIDE)
    waves = np.fft.fft2((grey - grey.mean((1, 2), keepdims=True)) * np.outer(window, window))
    power = (np.abs(waves) ** 2).mean(0)
    frequency = np.hypot(*np.meshgrid(*[np.fft.fftfreq(SIDE) * SIDE] * 2)).round().astype(int)
    rings = np.arange(3, SIDE // 4)
    means = [power[frequency == ring].mean() for ring in rings]
    slope = np.polyfit(np.log(rings), np.log(means), 1)[0]
    assert -2.6 < slope < -1.4
