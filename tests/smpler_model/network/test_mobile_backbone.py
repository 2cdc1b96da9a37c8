import pytest
import torch

from smpler_model.network.config import MOBILE_KEYPOINTS, MobileLayout
from smpler_model.network.mobile_backbone import KeypointReader, MobileBackbone

SIDE = 40
FAR = -12.0
"""Logit for absence."""


@pytest.fixture(scope="module", params=[0, 640], ids=["one branch", "with a pose branch"])
def backbone(request: pytest.FixtureRequest) -> MobileBackbone:
    torch.manual_seed(0)
    return MobileBackbone(MobileLayout(pose_features=request.param)).eval()


@pytest.mark.parametrize("side", [64, 160])
def test_four_maps_of_the_stated_sizes(backbone: MobileBackbone, side: int) -> None:
    with torch.inference_mode():
        maps = backbone(torch.randn(2, 3, side, side))
    found = [tuple(values.shape) for values in maps]
    features = 640 if backbone.branch else 1280
    channels = (24 + 17 + 2, 24, 32, features + 3 * 17)
    expected = zip(channels, (4, 8, 16, 32), strict=True)
    assert found == [(2, n, side // stride, side // stride) for n, stride in expected]


def test_the_coarsest_map_contains_the_keypoints(backbone: MobileBackbone) -> None:
    with torch.inference_mode():
        finest, _, _, coarsest = backbone(torch.randn(1, 3, 96, 96))
    numbers = coarsest[:, -3 * MOBILE_KEYPOINTS :]
    assert (numbers == numbers[..., :1, :1]).all()
    seen = numbers[0, 2::3, 0, 0]
    heat = finest[0, -MOBILE_KEYPOINTS - 2 : -2].flatten(1)
    assert ((heat.amin(1) <= seen) & (seen <= heat.amax(1))).all()


def test_the_finest_map_contains_pixel_coordinates(backbone: MobileBackbone) -> None:
    with torch.inference_mode():
        finest = backbone(torch.randn(2, 3, 64, 64))[0]
    corner, middle = finest[1, -2:, 0, 15], finest[0, -2:, 8, 7]
    torch.testing.assert_close(corner, torch.tensor([1 - 1 / 16, -1 + 1 / 16]))
    torch.testing.assert_close(middle, torch.tensor([-1 / 16, 1 / 16]))


def draw_heads(places: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the heads' maps of one person with keypoints (17, 2), x before y, at whole pixels."""
    k = MOBILE_KEYPOINTS
    heat, centre = (torch.full((1, n, SIDE, SIDE), FAR) for n in (k, 1))
    reach, offset = torch.zeros(1, k, 2, SIDE, SIDE), torch.zeros(1, k, 2, SIDE, SIDE)
    x, y = places.unbind(1)
    heat[0, torch.arange(k), y, x] = 3.0
    middle = SIDE // 2
    centre[..., middle, middle] = 3.0
    reach[0, :, :, middle, middle] = (places.flip(1) - middle).float()
    return {
        "heat": heat,
        "centre": centre,
        "reach": reach.flatten(1, 2),
        "offset": offset.flatten(1, 2),
    }


@pytest.fixture
def places() -> torch.Tensor:
    return torch.randint(
        4, SIDE - 4, (MOBILE_KEYPOINTS, 2), generator=torch.Generator().manual_seed(1)
    )


def read(heads: dict[str, torch.Tensor]) -> torch.Tensor:
    numbers: torch.Tensor = KeypointReader()(**heads)[0]
    return numbers


def pixels(numbers: torch.Tensor) -> torch.Tensor:
    return (numbers[:, :2] + 1) * SIDE / 2


def test_keypoints_are_at_the_maxima_of_their_maps(places: torch.Tensor) -> None:
    numbers = read(draw_heads(places))
    torch.testing.assert_close(pixels(numbers), places.float(), atol=0.05, rtol=0)
    expected = torch.tensor(3.0).sigmoid().expand(MOBILE_KEYPOINTS)
    torch.testing.assert_close(numbers[:, 2], expected, atol=0.01, rtol=0)


def test_offsets_refine_keypoints_within_a_pixel(places: torch.Tensor) -> None:
    heads = draw_heads(places)
    heads["offset"] += 0.25
    torch.testing.assert_close(pixels(read(heads)), places + 0.25, atol=0.05, rtol=0)


def test_a_neighbour_s_limbs_are_ignored(places: torch.Tensor) -> None:
    heads = draw_heads(places)
    away = (places + SIDE // 2) % SIDE
    heads["heat"][0, torch.arange(MOBILE_KEYPOINTS), away[:, 1], away[:, 0]] = 6.0
    torch.testing.assert_close(pixels(read(heads)), places.float(), atol=0.3, rtol=0)


def test_unseen_keypoints_follow_the_centre(places: torch.Tensor) -> None:
    heads = draw_heads(places)
    heads["heat"][:] = FAR
    numbers = read(heads)
    torch.testing.assert_close(pixels(numbers), places.float(), atol=0.5, rtol=0)
    assert (numbers[:, 2] < 1e-3).all()


def test_keypoints_have_gradients(places: torch.Tensor) -> None:
    generator = torch.Generator().manual_seed(2)
    heads = {
        name: torch.randn(maps.shape, generator=generator).requires_grad_()
        for name, maps in draw_heads(places).items()
    }
    read(heads).sum().backward()  # type: ignore[no-untyped-call]
    assert all(maps.grad is not None and maps.grad.any() for maps in heads.values())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_keeps_positions(places: torch.Tensor, dtype: torch.dtype) -> None:
    numbers = read({name: maps.to(dtype) for name, maps in draw_heads(places).items()})
    assert numbers.dtype == dtype
    torch.testing.assert_close(pixels(numbers.float()), places.float(), atol=0.1, rtol=0)
