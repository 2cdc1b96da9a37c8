"""An image on a device is resized as OpenCV resizes it."""

import cv2
import numpy as np
import pytest
import torch

from smpler_model.detectors.device_resize import resize_on_device


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ((480, 640), (192, 256)),
        ((1080, 1920), (288, 512)),
        ((77, 123), (160, 256)),
        ((9, 9), (9, 9)),
    ],
    ids=["by areas", "wide", "enlarged", "kept"],
)
def test_pixels_are_within_a_level(given: tuple[int, int], wanted: tuple[int, int]) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (*given, 3), np.uint8)
    kind = cv2.INTER_AREA if wanted[0] < given[0] else cv2.INTER_LINEAR
    expected = cv2.resize(rgb, wanted[::-1], interpolation=kind)
    found = resize_on_device(torch.from_numpy(rgb), *wanted)
    assert found.shape == (*wanted, 3)
    assert np.abs(found.numpy().astype(int) - expected).max() <= 1
