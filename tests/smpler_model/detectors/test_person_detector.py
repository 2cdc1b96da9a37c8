"""People are found in images of any size, alone and in batches, and nobody in empty rooms."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.cameras.camera import camera_from_field_of_view
from smpler_model.detectors import person_detector
from smpler_model.detectors.detector import BatchDetector, DeviceBatchDetector
from smpler_model.detectors.learned import DetectorError
from smpler_model.detectors.person_detector import PersonDetector, find_centres
from smpler_model.detectors.person_weights import load_person_network, save_person_network
from synthetic.scene import SyntheticScene
from synthetic.truth import SceneFrame

SHOWN_NS = 6_000_000_000


@pytest.fixture(scope="module")
def detector() -> PersonDetector:
    return PersonDetector(threads=1)


def make_scene(people: int) -> SyntheticScene:
    camera = camera_from_field_of_view(640, 480, 60.0)
    return SyntheticScene(Body(load_builtin_body()), camera, people=people)


@pytest.fixture(scope="module")
def shown() -> SceneFrame:
    shown = make_scene(2).frame(SHOWN_NS)
    assert len(shown.truth.ids) > 0
    return shown


def overlap(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    low, high = np.maximum(first[:2], second[:2]), np.minimum(first[2:], second[2:])
    common = (high - low).clip(0).prod()
    areas = [(box[2:] - box[:2]).prod() for box in (first, second)]
    return float(common / (sum(areas) - common))


def boxes_fit(found: NDArray[np.float64], true: NDArray[np.float64], least: float = 0.6) -> bool:
    return len(found) == len(true) and all(
        max(overlap(box, other) for other in found) > least for box in true
    )


@pytest.mark.slow
def test_everybody_is_found_and_nobody_else(detector: PersonDetector, shown: SceneFrame) -> None:
    found = detector.detect(shown.frame.rgb)
    assert boxes_fit(found.boxes_xyxy, shown.truth.visible_boxes_xyxy)
    assert (found.scores >= 0.5).all()


def test_an_empty_room(detector: PersonDetector) -> None:
    assert len(detector.detect(make_scene(0).frame(SHOWN_NS).frame.rgb)) == 0


def test_wide_images_are_looked_at_twice(detector: PersonDetector, shown: SceneFrame) -> None:
    wide = np.full((1080, 1920, 3), 128, np.uint8)
    wide[500:980, 900:1540] = shown.frame.rgb
    true = shown.truth.visible_boxes_xyxy + np.array([900, 500, 900, 500])
    assert boxes_fit(detector.detect(wide).boxes_xyxy, true)


def test_a_larger_second_pass_finds_smaller_people(shown: SceneFrame) -> None:
    """Of images of up to 640 pixels there is none, whatever it is."""
    wide = np.full((1080, 1920, 3), 128, np.uint8)
    small = cv2.resize(shown.frame.rgb, (280, 210), interpolation=cv2.INTER_AREA)
    wide[500:710, 900:1180] = small
    true = shown.truth.visible_boxes_xyxy * 280 / 640 + np.array([900, 500, 900, 500])
    found = {
        side: PersonDetector(second_pass=side, threads=1, score_threshold=0.3).detect(wide)
        for side in (0, 1024)
    }
    assert len(found[0]) == 0
    assert boxes_fit(found[1024].boxes_xyxy, true, least=0.5)
    blind, keen = (PersonDetector(second_pass=side, threads=1) for side in (0, 2048))
    np.testing.assert_array_equal(
        blind.detect(shown.frame.rgb).boxes_xyxy, keen.detect(shown.frame.rgb).boxes_xyxy
    )


@pytest.mark.parametrize("size", [(1, 1), (480, 1), (3, 700), (31, 33), (1300, 400)])
def test_images_of_any_size(detector: PersonDetector, size: tuple[int, int]) -> None:
    found = detector.detect(np.full((*size, 3), 90, np.uint8))
    assert len(found) == 0


def test_images_of_several_cameras_at_once(detector: PersonDetector, shown: SceneFrame) -> None:
    rgb = shown.frame.rgb
    images = [rgb, np.ascontiguousarray(rgb[:, ::-1]), np.ascontiguousarray(rgb[:, 80:400]), rgb]
    assert isinstance(detector, BatchDetector)
    together = detector.detect_all(images)
    for image, found in zip(images, together, strict=True):
        alone = detector.detect(image)
        np.testing.assert_allclose(found.boxes_xyxy, alone.boxes_xyxy, atol=0.05)
        np.testing.assert_allclose(found.scores, alone.scores, atol=1e-3)
    assert detector.detect_all([]) == []


def test_images_on_a_device(detector: PersonDetector, shown: SceneFrame) -> None:
    wide = np.ascontiguousarray(np.repeat(np.repeat(shown.frame.rgb, 2, 0), 2, 1))
    images = [shown.frame.rgb, wide, shown.frame.rgb[:, ::-1].copy()]
    assert isinstance(detector, DeviceBatchDetector)
    uploaded = [torch.from_numpy(image) for image in images]
    for found, image in zip(detector.detect_all_on_device(uploaded), images, strict=True):
        expected = detector.detect(image)
        assert len(expected) > 0
        np.testing.assert_allclose(found.boxes_xyxy, expected.boxes_xyxy, atol=3)
        np.testing.assert_allclose(found.scores, expected.scores, atol=0.02)
    one = detector.detect_on_device(uploaded[0])
    np.testing.assert_allclose(one.scores, detector.detect(images[0]).scores, atol=0.02)


def test_pytorch_finds_the_same_as_onnx_runtime(
    detector: PersonDetector, shown: SceneFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(person_detector, "is_usable", lambda name: False)
    plain = PersonDetector().detect(shown.frame.rgb)
    found = detector.detect(shown.frame.rgb)
    np.testing.assert_allclose(plain.boxes_xyxy, found.boxes_xyxy, atol=0.05)
    np.testing.assert_allclose(plain.scores, found.scores, atol=1e-3)


def test_all_passes_are_fetched_at_once(
    shown: SceneFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one copy a call, as a GPU is waited for in each."""
    monkeypatch.setattr(person_detector, "is_usable", lambda name: False)
    fetch, fetched = person_detector._fetch, list[int]()

    def note(tensors: list[torch.Tensor]) -> list[NDArray[np.float32]]:
        fetched.append(len(tensors))
        return fetch(tensors)

    monkeypatch.setattr(person_detector, "_fetch", note)
    detector = PersonDetector()
    wide = np.ascontiguousarray(np.repeat(np.repeat(shown.frame.rgb, 2, 0), 2, 1))
    together = detector.detect_all([wide, shown.frame.rgb])
    assert fetched == [2]
    for found, image in zip(together, (wide, shown.frame.rgb), strict=True):
        np.testing.assert_allclose(found.scores, detector.detect(image).scores, atol=1e-3)


def test_the_network_is_exported_once(
    detector: PersonDetector, shown: SceneFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(person_detector, "onnx_bytes", None)
    again = PersonDetector(threads=1).detect(shown.frame.rgb)
    np.testing.assert_array_equal(again.boxes_xyxy, detector.detect(shown.frame.rgb).boxes_xyxy)
    network = load_person_network()
    with torch.no_grad():
        network.centre[-1].bias += 1
    save_person_network(network, tmp_path / "surer.npz")
    with pytest.raises(TypeError, match="'NoneType' object is not callable"):
        PersonDetector(tmp_path / "surer.npz")


def test_boxes_are_read_where_no_neighbour_is_surer() -> None:
    maps = np.full((22, 6, 8), -9.0, np.float32)
    maps[:5, 2, 3] = (2.0, 4.0, 2.0, 0.5, 0.25)
    maps[:5, 2, 4] = (1.9, 9.0, 9.0, 0, 0)  # the same person
    maps[:5, 5, 7] = (0.5, 2.0, 1.0, 0, 0)
    maps[5:, 1, 2:4] = maps[5:, 5, 7:] = 30.0
    edges, scores = find_centres(maps, 0.5)
    np.testing.assert_allclose(edges, [[2.25, 0.5, 4.25, 4.5], [6.5, 4.0, 7.5, 6.0]])
    np.testing.assert_allclose(scores, (1 + np.exp([-2.0, -0.5])) ** -0.5)
    assert len(find_centres(maps, 0.85)[1]) == 1


@pytest.mark.parametrize(("seen", "share"), [(17, 1.0), (8, 1.0), (4, 0.5), (0, 0.0)])
def test_whoever_has_no_keypoints_is_nobody(seen: int, share: float) -> None:
    maps = np.full((22, 6, 8), -30.0, np.float32)
    maps[:5, 2, 3] = (30.0, 4.0, 2.0, 0, 0)
    maps[5 : 5 + seen, 1, 3] = 30.0
    maps[5:, 5, 7] = 30.0  # of somebody else
    _, scores = find_centres(maps, 1e-3)
    np.testing.assert_allclose(scores, [share**0.5] if seen else [], atol=1e-5)


@pytest.mark.parametrize("name", ["score_threshold", "overlap_threshold"])
def test_thresholds_out_of_range(name: str) -> None:
    with pytest.raises(DetectorError, match=f"{name} must be between 0 and 1, got 1"):
        PersonDetector(**{name: 1.0})
