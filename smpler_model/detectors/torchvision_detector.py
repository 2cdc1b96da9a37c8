"""Finds people with torchvision's smallest detector trained on COCO.

It is SSDLite320 with MobileNetV3-Large: among torchvision's detectors the one with the fewest
operations (0.58 GFLOPs) and the smallest file (13 MB). The next, Faster R-CNN at 320 pixels, is
slightly more accurate (22.8 against 21.3 COCO box mAP, as torchvision states), but its file is
74 MB, and it pools each proposal by itself, which takes several times as long where torchvision's
compiled operators do not load.

Sources: Howard et al., "Searching for MobileNetV3", ICCV 2019; Sandler et al., "MobileNetV2:
Inverted Residuals and Linear Bottlenecks", CVPR 2018 (SSDLite).
"""

import importlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from smpler_model.cameras.device_crops import upload
from smpler_model.detectors.detector import Detections
from smpler_model.detectors.learned import (
    WITHOUT_WEIGHTS,
    DetectorError,
    check_threshold,
    detections_from_edges,
)
from smpler_model.inference.device_memory import explain_memory
from smpler_model.inference.float32 import whole_float32
from smpler_model.network.torchvision_operators import import_torchvision

_PERSON = 1  # among COCO's categories, of which 0 is the background
_CATEGORIES = 91


class TorchvisionDetector:
    """Finds people with SSDLite320 and COCO weights; remembers nothing between images."""

    def __init__(
        self,
        weights: str | Path | None = None,
        *,
        device: str | torch.device = "cpu",
        score_threshold: float = 0.5,
        max_side: int = 640,
    ) -> None:
        """Load the network.

        Args:
            weights: file with a state dict of torchvision's `ssdlite320_mobilenet_v3_large` for 91
                classes. If None, the COCO weights in torch's cache, downloaded the first time.
            device: device to run on.
            score_threshold: detections of lower confidence are dropped, 0 to 1.
            max_side: images with a longer side are first shrunk to it, pixels. The network samples
                320x320 pixels without smoothing; COCO's images, on which it was trained, have 640.

        Raises:
            DetectorError: weights that are missing, cannot be downloaded, or do not fit.
            DeviceMemoryError: the network does not fit into the device's memory.
        """
        check_threshold("score_threshold", score_threshold)
        if max_side < 1:
            raise DetectorError(
                f"max_side must be at least 1 pixel, got {max_side}; COCO's images have 640"
            )
        import_torchvision()
        path = fetch_weights() if weights is None else Path(weights)
        self._device = torch.device(device)
        self._max_side = max_side
        with self._explain_memory():
            self._model = _load_network(path, score_threshold).to(device)

    def detect(self, rgb: NDArray[np.uint8]) -> Detections:
        """Return the people in an (h, w, 3) uint8 RGB image, the most confident first.

        Raises:
            DeviceMemoryError: the device's memory does not suffice.
        """
        if self._device.type == "cuda":
            with self._explain_memory():
                image = upload(rgb, self._device)
            return self.detect_on_device(image)
        pixels = torch.from_numpy(np.ascontiguousarray(_shrink(rgb, self._max_side)))
        return self._detect(pixels.permute(2, 0, 1) / 255, rgb.shape[1], rgb.shape[0])

    def detect_on_device(self, image: Tensor) -> Detections:
        """Return the people in an (h, w, 3) uint8 RGB image on any device.

        It is shrunk there, by a triangular filter instead of OpenCV's means of areas.

        Raises:
            DeviceMemoryError: the device's memory does not suffice.
        """
        height, width = image.shape[:2]
        with self._explain_memory(), torch.inference_mode():
            planes = _shrink_on_device(image.to(self._device), self._max_side)
        return self._detect(planes, width, height)

    def _detect(self, planes: Tensor, width: int, height: int) -> Detections:
        """Detect people in (3, h, w) planes from 0 to 1 of an image of another size."""
        with self._explain_memory(), torch.inference_mode(), whole_float32():
            found: dict[str, Tensor] = self._model([planes.to(self._device)])[0]
            columns = (found["boxes"], found["scores"][:, None], found["labels"][:, None])
            table = torch.cat([column.double() for column in columns], 1).cpu().numpy()  # (n, 6)
        people = table[table[:, 5] == _PERSON]
        scale = np.array([width / planes.shape[2], height / planes.shape[1]] * 2)
        return detections_from_edges(people[:, :4] * scale, people[:, 4], width, height)

    def reset(self) -> None:
        """Do nothing: this detector has no state."""

    def _explain_memory(self) -> AbstractContextManager[None]:
        return explain_memory("the person detector", self._device, "choose another detector")


def fetch_weights() -> Path:
    """Return the file of COCO weights in torch's cache; download it if it is missing.

    Raises:
        DetectorError: it is missing and cannot be downloaded.
    """
    import_torchvision()
    url: str = _ssdlite().SSDLite320_MobileNet_V3_Large_Weights.COCO_V1.url
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if path.is_file():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), hash_prefix=path.stem.rpartition("-")[2])
    except (OSError, RuntimeError) as error:  # no network, no room; a wrong checksum
        raise DetectorError(
            f"the person detector's weights could not be downloaded ({error}); download {url} "
            f"elsewhere and save it as {path}, or give its path as the weights; "
            f"{WITHOUT_WEIGHTS}"
        ) from error
    return path


def _ssdlite() -> Any:  # noqa: ANN401 - torchvision is untyped
    return importlib.import_module("torchvision.models.detection.ssdlite")


def _load_network(path: Path, score_threshold: float) -> nn.Module:
    # With another number of classes it would not fit COCO's file; untrained, it downloads nothing.
    network: nn.Module = _ssdlite().ssdlite320_mobilenet_v3_large(
        weights=None,
        weights_backbone=None,
        num_classes=_CATEGORIES,
        score_thresh=score_threshold,
    )
    state = _read_state(path)
    expected = network.state_dict()
    missing = sorted(expected.keys() - state.keys())
    extra = sorted(state.keys() - expected.keys())
    shared = expected.keys() & state.keys()
    misshapen = sorted(key for key in shared if expected[key].shape != state[key].shape)
    faults = {"missing": missing, "unknown": extra, "misshapen": misshapen}
    if any(faults.values()):
        listed = ", ".join(
            f"{len(keys)} {fault} (as '{keys[0]}')" for fault, keys in faults.items() if keys
        )
        raise DetectorError(
            f"{path} must hold the weights of torchvision's ssdlite320_mobilenet_v3_large for "
            f"{_CATEGORIES} classes, got {listed}; give that network's file"
        )
    network.load_state_dict(state)
    return network.eval()


def _read_state(path: Path) -> Mapping[str, Tensor]:
    if not path.is_file():
        raise DetectorError(
            f"the detector's weights must be a file, got {path}; give the absolute path of "
            f"an existing one; {WITHOUT_WEIGHTS}"
        )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can raise anything
        raise DetectorError(
            f"{path} is damaged or no file of PyTorch weights; delete it and download it again"
        ) from error
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise DetectorError(
            f"{path} must hold a dictionary of tensors only, got a {type(state).__name__} with "
            "other things; save the network's state_dict() alone"
        )
    return state


def _shrink(rgb: NDArray[np.uint8], max_side: int) -> NDArray[np.uint8]:
    size = _shrunk_size(rgb.shape[0], rgb.shape[1], max_side)
    if size is None:
        return rgb
    return np.asarray(cv2.resize(rgb, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def _shrink_on_device(image: Tensor, max_side: int) -> Tensor:
    """(h, w, 3) uint8 -> (3, h', w') from 0 to 1."""
    planes = image.permute(2, 0, 1).float() / 255
    size = _shrunk_size(image.shape[0], image.shape[1], max_side)
    if size is None:
        return planes
    return F.interpolate(planes[None], size, mode="bilinear", antialias=True)[0]


def _shrunk_size(height: int, width: int, max_side: int) -> tuple[int, int] | None:
    """Return the height and width of a shrunk image; None if it is small enough."""
    scale = max_side / max(height, width)
    return None if scale >= 1 else (max(1, round(height * scale)), max(1, round(width * scale)))
