"""The detector `person` on a GPU: as on the CPU, from the image that was uploaded once."""

import numpy as np
import pytest
import torch

pytest.importorskip("supervision")
pytest.importorskip("trackers")

from smpler_model import shared_image
from smpler_model.cameras.device_crops import upload
from smpler_model.detectors.person_detector import PersonDetector
from smpler_model.inference.estimator import Estimator
from smpler_model.network.smpler import Smpler
from smpler_model.pipeline import Pipeline
from tests.gpu.conftest import counted_waits
from tests.smpler_model.test_shared_image import AT_ONCE, four_people


def test_people_are_those_of_the_cpu(device: torch.device) -> None:
    images = [four_people().rgb, np.repeat(np.repeat(four_people().rgb, 2, 0), 2, 1)]
    on_gpu, on_cpu = PersonDetector(device=device), PersonDetector()
    uploaded = on_gpu.detect_all_on_device([upload(image, device) for image in images])
    together = on_gpu.detect_all(images)
    for image, *found in zip(images, uploaded, together, strict=True):
        expected = on_cpu.detect(image)
        assert len(expected) > 0
        for each in found:
            np.testing.assert_allclose(each.boxes_xyxy, expected.boxes_xyxy, atol=3)
            np.testing.assert_allclose(each.scores, expected.scores, atol=0.02)


def test_an_image_is_uploaded_once(
    device: torch.device, shipped: Smpler, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads = []

    def note(rgb: np.ndarray, where: torch.device) -> torch.Tensor:
        uploads.append(rgb.shape)
        return upload(rgb, where)

    monkeypatch.setattr(shared_image, "upload", note)
    detector = PersonDetector(device=device)
    pipeline = Pipeline(Estimator(shipped, device), lambda: detector, AT_ONCE)
    results = pipeline.process_batch({"a": four_people(), "b": four_people()})
    assert all(len(result.people) > 0 for result in results.values())
    assert uploads == [(448, 448, 3)] * 2


def test_both_passes_wait_for_the_gpu_once(device: torch.device) -> None:
    detector = PersonDetector(device=device)
    wide = upload(np.repeat(np.repeat(four_people().rgb, 2, 0), 2, 1), device)
    detector.detect_on_device(wide)
    with counted_waits() as waits:
        assert len(detector.detect_on_device(wide)) > 0
    assert len(waits) == 1, waits
