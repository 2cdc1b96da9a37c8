"""SSDLite320 with seeded weights of the real shapes; no trained file is needed."""

import re
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from smpler_model.array_types import RgbImage
from smpler_model.cameras.device_crops import upload
from smpler_model.detectors.detector import DeviceDetector
from smpler_model.detectors.learned import DetectorError
from smpler_model.detectors.torchvision_detector import (
    TorchvisionDetector,
    _shrink,
    _shrink_on_device,
    fetch_weights,
)
from smpler_model.network.torchvision_operators import import_torchvision

pytestmark = pytest.mark.slow

COCO_FILE = "ssdlite320_mobilenet_v3_large_coco-a79551df.pth"
CLASSES = 91
CPU = torch.device("cpu")
PERSON = 1


@cache
def seeded_state() -> dict[str, torch.Tensor]:
    """Return random weights; statistics of noise keep activations alive and scores varied."""
    import_torchvision()
    from torchvision.models.detection import ssdlite320_mobilenet_v3_large

    torch.manual_seed(0)
    network = ssdlite320_mobilenet_v3_large(
        weights=None, weights_backbone=None, num_classes=CLASSES
    )
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 1.0
    for head in network.head.classification_head.module_list:
        torch.nn.init.normal_(head[1].weight, std=0.05)
        head[1].bias.data.view(-1, CLASSES)[:, PERSON] = 4.0
    with torch.no_grad():
        network.head(list(network.backbone(torch.randn(4, 3, 320, 320)).values()))
    return dict(network.state_dict())


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("detector") / "seeded.pth"
    torch.save(seeded_state(), path)
    return path


@pytest.fixture(scope="module")
def detector(weights: Path) -> TorchvisionDetector:
    return TorchvisionDetector(weights, score_threshold=0.3)


def noise(height: int, width: int) -> RgbImage:
    return np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)


@pytest.mark.parametrize(
    "size", [(240, 320), (900, 301), (1, 1), (3, 2000)], ids=lambda s: f"{s[1]}x{s[0]}"
)
def test_boxes_lie_in_the_image(detector: TorchvisionDetector, size: tuple[int, int]) -> None:
    height, width = size
    found = detector.detect(noise(height, width))
    boxes, scores = found.boxes_xyxy, found.scores
    assert len(found) > 0 or size == (1, 1)
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= [width - 1, height - 1]).all()
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert (scores >= 0.3).all()
    assert (scores <= 1).all()
    assert (np.diff(scores) <= 0).all()


def test_people_in_an_image_on_the_device_are_the_same(detector: TorchvisionDetector) -> None:
    assert isinstance(detector, DeviceDetector)
    image = noise(240, 320)
    host, device = detector.detect(image), detector.detect_on_device(upload(image, CPU))
    np.testing.assert_allclose(device.boxes_xyxy, host.boxes_xyxy, atol=1e-3)
    np.testing.assert_allclose(device.scores, host.scores, atol=1e-5)


@pytest.mark.parametrize("size", [(480, 640), (1080, 1920), (720, 1283), (2000, 300)])
def test_images_are_shrunk_alike_on_the_device(size: tuple[int, int]) -> None:
    """Another filter than OpenCV's: within two levels of 255 on average."""
    image = cv2.GaussianBlur(noise(*size), (0, 0), 4)
    host = _shrink(image, 640).astype(np.float64)
    device = 255 * _shrink_on_device(upload(image, CPU), 640).permute(1, 2, 0).numpy()
    assert device.shape == host.shape
    assert np.abs(device - host).mean() < 2


def test_a_higher_threshold_keeps_the_best_detections(
    detector: TorchvisionDetector, weights: Path
) -> None:
    image = noise(240, 320)
    every = detector.detect(image)
    threshold = float(np.median(every.scores))
    strict = TorchvisionDetector(weights, score_threshold=threshold).detect(image)
    assert len(np.unique(every.scores)) > 10
    assert 0 < len(strict) < len(every)
    assert (strict.scores >= threshold).all()


def test_other_categories_are_dropped(tmp_path: Path) -> None:
    state = {key: values.clone() for key, values in seeded_state().items()}
    for key, values in state.items():
        if re.fullmatch(r"head\.classification_head\.module_list\.\d\.1\.bias", key):
            values.view(-1, CLASSES)[:, PERSON] = -50.0
            values.view(-1, CLASSES)[:, PERSON + 1] = 50.0
    torch.save(state, tmp_path / "bicycles.pth")
    assert len(TorchvisionDetector(tmp_path / "bicycles.pth").detect(noise(240, 320))) == 0


def test_boxes_follow_the_image_when_it_is_shrunk_first(weights: Path) -> None:
    # Blocks of 4 pixels: shrinking by 4 restores the small image, so the network sees the same.
    small = noise(120, 160)
    large = np.repeat(np.repeat(small, 4, 0), 4, 1)
    at_once = TorchvisionDetector(weights, score_threshold=0.3).detect(small)
    shrunk = TorchvisionDetector(weights, score_threshold=0.3, max_side=160).detect(large)
    np.testing.assert_array_equal(shrunk.scores, at_once.scores)
    edges = (at_once.boxes_xyxy + 0.5) * 4
    inside = (at_once.boxes_xyxy > 0) & (at_once.boxes_xyxy < [159, 119, 159, 119])
    assert inside.any()
    np.testing.assert_allclose((shrunk.boxes_xyxy + 0.5)[inside], edges[inside], atol=1e-3)


def test_nothing_is_remembered(detector: TorchvisionDetector) -> None:
    image = noise(240, 320)
    first = detector.detect(image)
    detector.detect(np.zeros_like(image))
    detector.reset()
    again = detector.detect(image)
    np.testing.assert_array_equal(first.boxes_xyxy, again.boxes_xyxy)
    np.testing.assert_array_equal(first.scores, again.scores)


def test_a_mirrored_view_gives_the_result_of_its_copy(detector: TorchvisionDetector) -> None:
    view = noise(240, 320)[:, ::-1]
    np.testing.assert_array_equal(
        detector.detect(view).boxes_xyxy, detector.detect(view.copy()).boxes_xyxy
    )


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use an empty folder as torch's cache, and a network that refuses every connection."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "hub" / "checkpoints"


def test_offline_without_weights(empty_cache: Path) -> None:
    with pytest.raises(DetectorError) as caught:
        TorchvisionDetector()
    sentence = str(caught.value)
    assert f"https://download.pytorch.org/models/{COCO_FILE}" in sentence
    assert str(empty_cache / COCO_FILE) in sentence
    assert "'person', 'motion' and 'full_image' need no file" in sentence
    assert "\n" not in sentence
    assert not list(empty_cache.iterdir())


def test_weights_in_the_cache_need_no_network(empty_cache: Path, weights: Path) -> None:
    empty_cache.mkdir(parents=True)
    (empty_cache / COCO_FILE).write_bytes(weights.read_bytes())
    assert fetch_weights() == empty_cache / COCO_FILE
    assert len(TorchvisionDetector(score_threshold=0.3).detect(noise(240, 320))) > 0


def write_text(path: Path) -> None:
    path.write_text("<html>404</html>")


def write_cut(path: Path) -> None:
    torch.save(seeded_state(), path)
    path.write_bytes(path.read_bytes()[:100_000])


def write_module(path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), path)


def write_nested(path: Path) -> None:
    torch.save({"model": seeded_state()}, path)


def write_other(path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2).state_dict(), path)


def write_fewer_classes(path: Path) -> None:
    state = seeded_state()
    key = "head.classification_head.module_list.0.1.bias"
    torch.save(state | {key: state[key][:12]}, path)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (write_text, "is damaged or no file of PyTorch weights; delete it and download it again"),
        (write_cut, "is damaged or no file of PyTorch weights; delete it and download it again"),
        (
            write_module,
            "is damaged or no file of PyTorch weights; delete it and download it again",
        ),
        (write_nested, "must hold a dictionary of tensors only, got a dict with other things"),
        (write_other, r"missing \(as 'backbone.*, 2 unknown \(as 'bias'\); give that network's"),
        (write_fewer_classes, r"91 classes, got 1 misshapen \(as 'head.*0.1.bias'\)"),
    ],
)
def test_a_wrong_file(tmp_path: Path, write, message: str) -> None:  # noqa: ANN001
    path = tmp_path / "wrong.pth"
    write(path)
    with pytest.raises(DetectorError, match=message) as caught:
        TorchvisionDetector(path)
    assert "\n" not in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match=r"must be a file, got .*gone.pth; give the abs"):
        TorchvisionDetector(tmp_path / "gone.pth")


@pytest.mark.parametrize("threshold", [-0.1, 0, 1, 50, float("nan")])
def test_a_threshold_outside_0_to_1_is_refused(weights: Path, threshold: float) -> None:
    with pytest.raises(DetectorError, match="score_threshold must be between 0 and 1, got"):
        TorchvisionDetector(weights, score_threshold=threshold)


def test_max_side_0_is_refused(weights: Path) -> None:
    with pytest.raises(DetectorError, match="max_side must be at least 1 pixel, got 0"):
        TorchvisionDetector(weights, max_side=0)
