import pytest
import torch
from torch import Tensor

from smpler_model.network.sampling import sample_map, sample_patches

SIDE = 12


@pytest.fixture
def feature_map() -> Tensor:
    return torch.randn(2, SIDE, SIDE, 3, generator=torch.Generator().manual_seed(0))


def position_of(x: float, y: float) -> Tensor:
    """Return a pixel's position in [-1, 1], for both people of the map."""
    return (torch.tensor([x, y]) / (SIDE - 1) * 2 - 1).expand(2, 1, 2)


def test_samples_at_pixel_centres_are_the_pixels(feature_map: Tensor) -> None:
    found = sample_map(feature_map, position_of(4, 9))
    assert torch.allclose(found[:, 0], feature_map[:, 9, 4], atol=1e-5)


def test_samples_between_pixels_are_their_mean(feature_map: Tensor) -> None:
    found = sample_map(feature_map, position_of(4.5, 9))
    assert torch.allclose(found[:, 0], feature_map[:, 9, 4:6].mean(1), atol=1e-5)


def test_samples_outside_are_zero(feature_map: Tensor) -> None:
    assert (sample_map(feature_map, torch.full((2, 1, 2), 1.5)) == 0).all()


@pytest.mark.parametrize(
    ("x", "y"),
    [
        pytest.param(5.3, 6.8, id="inside"),
        pytest.param(5.0, 6.0, id="on a pixel"),
        pytest.param(0.2, 10.9, id="at the border"),
        pytest.param(-7.5, 30.1, id="far outside"),
    ],
)
def test_patches_are_the_64_pixels_around(feature_map: Tensor, x: float, y: float) -> None:
    position = position_of(x, y).double()
    patches = sample_patches(feature_map, position)

    pixel_x, pixel_y = ((position[0, 0] + 1) / 2 * (SIDE - 1)).tolist()
    expected_pixels, expected_offsets = [], []
    for step_y in range(-3, 5):
        for step_x in range(-3, 5):
            column = min(max(int(pixel_x // 1) + step_x, 0), SIDE - 1)
            row = min(max(int(pixel_y // 1) + step_y, 0), SIDE - 1)
            expected_pixels.append(feature_map[:, row, column])
            expected_offsets.append((column - pixel_x, row - pixel_y))

    assert patches.count == 1
    assert torch.equal(patches.features[:, 0], torch.stack(expected_pixels, 1))
    expected = torch.tensor(expected_offsets, dtype=torch.float64)
    assert torch.allclose(patches.offsets[0, 0], expected, atol=1e-12)


def test_positions_that_are_not_finite_stay_inside_the_map(feature_map: Tensor) -> None:
    positions = torch.tensor([[[float("nan"), 0.0], [float("inf"), -float("inf")]]] * 2)
    assert sample_patches(feature_map, positions).features.isfinite().all()
