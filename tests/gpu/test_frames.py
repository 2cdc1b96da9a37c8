"""Whole frames on a GPU: as on the CPU, with one wait."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

pytest.importorskip("supervision")
pytest.importorskip("trackers")

from smpler_model.cameras.crops import cut_crops
from smpler_model.cameras.device_crops import cut_crops_on_device, upload
from smpler_model.frames import FrameResult
from smpler_model.inference.estimator import Estimates, Estimator
from smpler_model.network.smpler import Smpler
from smpler_model.pipeline import Pipeline
from tests.gpu.conftest import counted_waits
from tests.smpler_model.test_shared_image import AT_ONCE, BOXES, Looking, four_people


@pytest.fixture
def estimator(shipped: Smpler, device: torch.device) -> Estimator:
    found = Estimator(shipped, device)
    found.warm_up(16)
    return found


def assert_near(found: FrameResult, wanted: FrameResult) -> None:
    a, b = found.people, wanted.people
    assert len(a) == len(b) == 4
    turns = a.rotations.swapaxes(-1, -2) @ b.rotations
    assert np.degrees(Rotation.from_matrix(turns.reshape(-1, 3, 3)).magnitude()).max() < 0.5
    places = np.linalg.norm(a.joints_m - b.joints_m, axis=-1)
    assert (places / b.joints_m[..., 2]).max() < 0.003


def test_frames_are_as_on_the_cpu(estimator: Estimator, shipped: Smpler) -> None:
    on_cpu = Estimator(shipped, backend="plain")
    found, wanted = (
        Pipeline(each, Looking, AT_ONCE).process(four_people(), mesh=True)
        for each in (estimator, on_cpu)
    )
    assert_near(found, wanted)
    assert found.people.vertices_m is not None
    assert found.people.vertices_m.shape == (4, 6890, 3)


def test_two_cameras_of_which_one_sees_nobody(estimator: Estimator) -> None:
    pipeline = Pipeline(estimator, Looking, AT_ONCE)
    empty = replace(four_people(), rgb=np.zeros((48, 64, 3), np.uint8))
    results = pipeline.process_batch({"a": four_people(), "b": four_people(), "c": empty})
    alone = Pipeline(estimator, Looking, AT_ONCE).process(four_people())
    assert_near(results["a"], alone)
    assert_near(results["b"], alone)


def test_a_frame_waits_for_the_gpu_once(estimator: Estimator) -> None:
    """For the network's result."""
    pipeline = Pipeline(estimator, Looking, AT_ONCE)
    pipeline.process(four_people(0))
    with counted_waits() as waits:
        result = pipeline.process(four_people(1))
    assert len(waits) == 1, waits
    assert len(result.people) == 4


def test_meshes_are_those_of_the_cpu(
    estimator: Estimator, shipped: Smpler, expected: Estimates
) -> None:
    on_cpu = Estimator(shipped, backend="plain")
    found, wanted = (
        each.vertices(expected.rotations, expected.betas) for each in (estimator, on_cpu)
    )
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    with counted_waits() as waits:
        estimator.vertices(expected.rotations, expected.betas)
    assert len(waits) == 1, waits


@pytest.mark.parametrize("shape", [(480, 640), (1080, 1920), (123, 77)])
def test_crops_are_those_of_the_cpu(device: torch.device, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    rgb: NDArray[np.uint8] = rng.integers(0, 256, (*shape, 3), np.uint8)
    boxes = [*BOXES, [-90.0, -90, 4000, 4000], [5, 5, 9, 9]]
    found = cut_crops_on_device(upload(rgb, device), boxes, 224)
    on_cpu = cut_crops_on_device(upload(rgb, torch.device("cpu")), boxes, 224)
    gap = np.abs(found.pixels.cpu().numpy().astype(int) - on_cpu.pixels.numpy())
    assert gap.max() <= 1
    soft = np.abs(on_cpu.pixels.numpy().astype(int) - cut_crops(rgb, boxes, 224).pixels)
    assert soft.mean() < 1


def test_images_that_follow_one_another_are_not_mixed(device: torch.device) -> None:
    """Pinned memory is handed out again only after it was read."""
    images = [np.full((1080, 1920, 3), level, np.uint8) for level in range(40)]
    uploaded = [upload(image, device) for image in images]
    for level, image in enumerate(uploaded):
        assert image.float().mean().item() == level
