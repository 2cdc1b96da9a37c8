from dataclasses import replace

import pytest
import torch

from smpler_model.body.arrays import BodyArrays
from smpler_model.checkpoints.files import load_model
from smpler_model.inference.export import example_crops
from smpler_model.inference.fast_network import (
    OUTPUT_SHAPES,
    CropsToMaps,
    FastSmpler,
    MapsToOutputs,
)
from smpler_model.inference.runners import PlainNetwork
from smpler_model.network.config import SMPLER_NANO, MobileLayout, ModelConfig
from smpler_model.network.initialisation import build_model
from smpler_model.network.smpler import Smpler
from tests.calibrated import calibrated_model
from tests.conftest import OfficialFile
from tests.small_hrnet import SMALL_HRNET

EXACT = 1e-9
SMALL = (replace(SMPLER_NANO, first_guess_feedback=True), SMALL_HRNET)


@pytest.fixture(scope="module", params=SMALL, ids=lambda config: config.name)
def config(request: pytest.FixtureRequest) -> ModelConfig:
    return request.param


@pytest.fixture(scope="module")
def model(config: ModelConfig, body_arrays: BodyArrays) -> Smpler:
    return calibrated_model(config, body_arrays)


@pytest.fixture(scope="module")
def exact(model: Smpler) -> Smpler:
    return build_copy(model).double()


@pytest.fixture(scope="module")
def fast(model: Smpler) -> FastSmpler:
    """The model's fast network; not to be modified."""
    return FastSmpler(model)


@pytest.fixture(scope="module")
def fast_exact(exact: Smpler) -> FastSmpler:
    return FastSmpler(exact)


def test_only_weights_of_convolutions_hold_channels_last(fast: FastSmpler) -> None:
    """The tables of biases are sampled by cuDNN, which is to see their usual strides."""
    assert all(values.is_contiguous() for values in fast.buffers())
    assert any(values.dim() == 4 for values in fast.buffers())
    weights = [values for values in fast.backbone.parameters() if values.dim() == 4]
    assert all(values.is_contiguous(memory_format=torch.channels_last) for values in weights)


def build_copy(model: Smpler) -> Smpler:
    copy = build_model(model.config, model.body.arrays())
    copy.load_state_dict(model.state_dict())
    return copy.eval()


@torch.inference_mode()
def assert_same(
    model: Smpler, people: int, tolerance: float, network: FastSmpler | None = None
) -> None:
    crops = example_crops(model.config.image_size, people)
    found, expected = (network or FastSmpler(model))(crops), PlainNetwork(model)(crops)
    for name, fast, plain in zip(OUTPUT_SHAPES, found, expected, strict=True):
        assert fast.shape == plain.shape, name
        torch.testing.assert_close(fast, plain, rtol=tolerance, atol=tolerance, msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("people", [1, 3])
def test_small_models_equal_the_network(
    exact: Smpler, fast_exact: FastSmpler, people: int
) -> None:
    assert_same(exact, people, EXACT, fast_exact)


@pytest.mark.slow
def test_w32_equals_the_network(official_file: OfficialFile) -> None:
    assert_same(load_model(official_file("w32_h36m")).double(), 1, EXACT)


def test_the_estimate_depends_on_the_image(model: Smpler, fast: FastSmpler) -> None:
    with torch.inference_mode():
        found = fast(example_crops(model.config.image_size))
    assert (found.rotations[0] - found.rotations[1]).abs().max() > 1e-3
    assert (found.keypoints.abs() < 1).float().mean() > 0.5


@pytest.mark.slow
def test_joints_outside_the_image(exact: Smpler) -> None:
    far = build_copy(exact.float()).double()
    exact.double()
    far.regressor.initial_camera.copy_(torch.tensor([[3.0, 1.0, -0.5]]))
    with torch.inference_mode():
        keypoints = PlainNetwork(far)(example_crops(far.config.image_size)).keypoints
    assert (keypoints.abs() > 1).any()
    assert (keypoints.abs() < 1).any()
    assert_same(far, 2, EXACT)


def test_a_camera_that_is_not_finite_affects_nobody_else(model: Smpler, fast: FastSmpler) -> None:
    crops = example_crops(model.config.image_size)
    with torch.inference_mode():
        maps = fast.features(crops)
        alone = fast.refine(maps)
        maps[-1][0] = torch.nan
        for poisoned, healthy in zip(fast.refine(maps), alone, strict=True):
            torch.testing.assert_close(poisoned[1], healthy[1])


@pytest.mark.slow
@pytest.mark.parametrize("people", [2, 5])
def test_a_batch_equals_single_people(exact: Smpler, fast_exact: FastSmpler, people: int) -> None:
    crops = example_crops(exact.config.image_size, people)
    with torch.inference_mode():
        together = fast_exact(crops)
        alone = [fast_exact(crops[i : i + 1]) for i in range(people)]
    for index, values in enumerate(together):
        one_by_one = torch.cat([outputs[index] for outputs in alone])
        torch.testing.assert_close(values, one_by_one, rtol=EXACT, atol=EXACT)


def test_float32_is_as_exact_as_the_network(
    model: Smpler, fast: FastSmpler, exact: Smpler
) -> None:
    crops = example_crops(model.config.image_size, 4)
    with torch.inference_mode():
        truth = PlainNetwork(exact)(crops)
        errors, plain = (
            [(a.double() - b).norm() for a, b in zip(run(crops), truth, strict=True)]
            for run in (fast, PlainNetwork(model))
        )
    assert sum(errors) < 2 * sum(plain)


def test_both_parts_make_the_whole_network(model: Smpler, fast: FastSmpler) -> None:
    crops = example_crops(model.config.image_size)
    with torch.inference_mode():
        parts = MapsToOutputs(fast)(*CropsToMaps(fast)(crops))
        for part, whole in zip(parts, fast(crops), strict=True):
            assert torch.equal(part, whole)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_body_and_camera_keep_full_precision(model: Smpler, dtype: torch.dtype) -> None:
    network = FastSmpler(model).halve(dtype)
    with torch.inference_mode():
        rotations, *others = network(example_crops(model.config.image_size))
    assert {values.dtype for values in (rotations, *others)} == {torch.float32}
    product = rotations @ rotations.mT
    torch.testing.assert_close(product, torch.eye(3).expand_as(product), atol=1e-5, rtol=0)
    halved = {name for name, v in network.state_dict().items() if v.dtype == dtype}
    exact = {"backbone"} if isinstance(model.config.backbone, MobileLayout) else set()
    assert {name.split(".")[0] for name in halved} == {"backbone", "projections"} - exact


def test_the_model_is_unchanged(model: Smpler) -> None:
    before = {name: values.clone() for name, values in model.state_dict().items()}
    FastSmpler(model)
    after = model.state_dict()
    assert all(torch.equal(after[name], values) for name, values in before.items())


def test_full_attention_is_refused(body_arrays: BodyArrays) -> None:
    other = build_model(replace(SMPLER_NANO, attention="full"), body_arrays)
    with pytest.raises(ValueError, match="needs decoupled attention, got 'full'"):
        FastSmpler(other)
