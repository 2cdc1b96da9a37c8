"""The detector `person`: people found by a network that ships, for static and moving cameras.

On a CPU it runs in ONNX Runtime if that is installed, else in PyTorch; on a GPU in PyTorch.

Source: Zhou et al., "Objects as Points", 2019: a person is a local maximum of the heatmap.
Differs: non-maximum suppression follows; and the score is the geometric mean of the centre's and
the keypoints' in the box: a table's leg can look like a person's centre, but has no shoulders.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smpler_model.array_types import Floats, RgbImage
from smpler_model.cameras.device_crops import upload
from smpler_model.detectors.detector import Detections
from smpler_model.detectors.device_resize import resize_on_device
from smpler_model.detectors.learned import check_threshold, detections_from_edges
from smpler_model.detectors.person_network import SIDE_MULTIPLE, STRIDE, PersonNetwork
from smpler_model.detectors.person_weights import SHIPPED, load_person_network
from smpler_model.inference.device_memory import explain_memory
from smpler_model.inference.export import onnx_bytes
from smpler_model.inference.export_cache import export_once
from smpler_model.inference.float32 import whole_float32
from smpler_model.inference.onnx_sessions import session_options
from smpler_model.inference.optional_packages import import_optional, is_usable
from smpler_model.network.torchvision_operators import suppress_overlaps

Maps = NDArray[np.float32]
Edges = tuple[Floats, Floats]
"""(n, 4) left, top, right, bottom, counted from an image's edges, and (n,) scores."""

ImageOrTensor: TypeAlias = RgbImage | Tensor
"""(h, w, 3) uint8 RGB, in the host's memory or, as a tensor, on any device."""

_RunNetwork = Callable[[Sequence[ImageOrTensor]], list[Maps]]
"""From batches (b, h, w, 3), each of one size, to their maps (b, 22, h / 4, w / 4)."""

CPU = torch.device("cpu")
SIDE = 256
"""Longer side of the network's images, pixels, as in training."""

SECOND_PASS = 512
"""Usual limit of the longer side of the second, larger pass over wide images, pixels."""

_SHRINKING = 0.4  # scale of the second pass, over images wider than 640 pixels
_TALLEST = 128  # pixels: of taller people, the first pass has the better boxes
_CLEAR_KEYPOINTS = 8  # of 17: about half, for people who are half hidden
_MOST_CANDIDATES = 256  # per image, those with the highest scores


@dataclass(frozen=True)
class _Look:
    """An image as the network sees it.

    Attributes:
        pixels: (h, w, 3), padded with black.
        scales: (2,) factors of x and y from the image.
        is_second: whether the image is larger than what the network was trained with.
    """

    pixels: ImageOrTensor
    scales: Floats
    is_second: bool


class PersonDetector:
    """Finds people of all sizes and poses. Stateless."""

    def __init__(
        self,
        weights: str | Path | None = None,
        *,
        device: str | torch.device = CPU,
        score_threshold: float = 0.5,
        overlap_threshold: float = 0.6,
        second_pass: int = SECOND_PASS,
        threads: int = 0,
    ) -> None:
        """Load the network.

        Args:
            weights: file of `person_weights`; those that come with the package if None.
            device: where it runs.
            score_threshold: least score of people, 0 to 1.
            overlap_threshold: largest intersection over union of two boxes; non-maximum
                suppression drops the one with the lower score.
            second_pass: largest longer side of the second pass over images of more than 640
                pixels; 0 for none. The processor time grows with its square.
            threads: threads of ONNX Runtime; 0 leaves the number to it.

        Raises:
            DetectorError: weights that are missing or do not fit, or a threshold out of range.
            DeviceMemoryError: the network does not fit into the device's memory.
        """
        check_threshold("score_threshold", score_threshold)
        check_threshold("overlap_threshold", overlap_threshold)
        self._score_threshold, self._overlap_threshold = score_threshold, overlap_threshold
        self._second_pass = second_pass
        self._device = torch.device(device)
        network = load_person_network(Path(weights) if weights else SHIPPED)
        with self._explain_memory():
            self._run = _prepare(network, self._device, threads)

    def detect(self, rgb: RgbImage) -> Detections:
        """Return the people in an (h, w, 3) uint8 RGB image, those with the highest scores first.

        Raises:
            DeviceMemoryError: the device's memory does not suffice.
        """
        return self.detect_all([rgb])[0]

    def detect_all(self, images: Sequence[RgbImage]) -> list[Detections]:
        """Return the people in each of several images; those of one size are one batch.

        Images wider or taller than 640 pixels get a second, larger pass for small people.

        Raises:
            DeviceMemoryError: the device's memory does not suffice.
        """
        return self._find(images)

    def detect_on_device(self, image: Tensor) -> Detections:
        """Return the people in an (h, w, 3) uint8 RGB image on any device.

        Raises:
            DeviceMemoryError: the device's memory does not suffice.
        """
        return self._find([image])[0]

    def detect_all_on_device(self, images: Sequence[Tensor]) -> list[Detections]:
        """Return what `detect_all` does for images on any device.

        Raises:
            DeviceMemoryError: the device's memory does not suffice.
        """
        return self._find(images)

    def _find(self, images: Sequence[ImageOrTensor]) -> list[Detections]:
        with self._explain_memory():
            looks = [
                (row, _fit(image, side))
                for row, image in enumerate(images)
                for side in _sides(max(image.shape[:2]), self._second_pass)
            ]
        batches = defaultdict(list)
        for row, look in looks:
            batches[tuple(look.pixels.shape)].append((row, look))
        with self._explain_memory():
            answers = self._run(
                [_stack([look.pixels for _, look in batch]) for batch in batches.values()]
            )
        found: dict[int, list[Edges]] = defaultdict(list)
        for batch, maps in zip(batches.values(), answers, strict=True):
            for (row, look), answer in zip(batch, maps, strict=True):
                found[row].append(self._read(answer, look))
        return [self._choose(found[row], *image.shape[:2]) for row, image in enumerate(images)]

    def reset(self) -> None:
        """Do nothing: there is no state."""

    def _read(self, maps: Maps, look: _Look) -> Edges:
        """Return the people in the (22, h, w) output maps of one pass."""
        edges, scores = find_centres(maps, self._score_threshold)
        if look.is_second:
            fits = edges[:, 3] - edges[:, 1] <= _TALLEST / STRIDE
            edges, scores = edges[fits], scores[fits]
        return edges * STRIDE / np.tile(look.scales, 2), scores

    def _choose(self, found: list[Edges], height: int, width: int) -> Detections:
        """Return the people of all passes over an image of this size, without duplicates."""
        edges, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
        stays = suppress_overlaps(
            torch.from_numpy(edges), torch.from_numpy(scores), self._overlap_threshold
        ).numpy()
        return detections_from_edges(edges[stays], scores[stays], width, height)

    def _explain_memory(self) -> AbstractContextManager[None]:
        return explain_memory("the person detector", self._device, "choose another detector")


def find_centres(maps: Maps, score_threshold: float) -> Edges:
    """Decode the network's output maps.

    Args:
        maps: (22, h, w), see `PersonNetwork.forward`.
        score_threshold: least score.

    Returns:
        (n, 4) left, top, right, bottom in pixels of the maps, counted from their edges, and (n,)
        scores, the highest first.
    """
    logits = maps[0]
    best = cv2.dilate(logits, np.ones((3, 3), np.uint8))  # nothing lies beyond the border
    least = np.log(score_threshold**2 / (1 - score_threshold**2))  # were all keypoints certain
    rows, columns = np.nonzero((logits >= best) & (logits >= least))
    order = np.argsort(-logits[rows, columns], kind="stable")[:_MOST_CANDIDATES]
    rows, columns = rows[order], columns[order]
    height, width, down, across = maps[1:5, rows, columns].astype(np.float64)
    y, x = rows + down, columns + across
    half_height, half_width = height.clip(0) / 2, width.clip(0) / 2
    edges = np.stack((x - half_width, y - half_height, x + half_width, y + half_height), 1)
    seen = np.array([_judge_keypoints(maps[5:], box) for box in edges]).reshape(-1)
    scores = np.sqrt(_sigmoid(logits[rows, columns]) * seen)
    chosen = np.argsort(-scores, kind="stable")[: int((scores >= score_threshold).sum())]
    return edges[chosen], scores[chosen]


def _judge_keypoints(maps: Maps, box_xyxy: Floats) -> float:
    """Return the mean probability of the clearest keypoints in a box, of (17, h, w) logits."""
    last = np.array(maps.shape[:0:-1]) - 1  # x and y
    first_x, first_y = np.floor(box_xyxy[:2]).clip(0, last).astype(int)
    end_x, end_y = np.ceil(box_xyxy[2:]).clip((first_x + 1, first_y + 1)).astype(int)
    best = maps[:, first_y:end_y, first_x:end_x].max((1, 2))
    return float(np.sort(_sigmoid(best))[-_CLEAR_KEYPOINTS:].mean())


def _sigmoid(logits: Maps) -> Floats:
    """Return probabilities; the hyperbolic tangent cannot overflow."""
    return 0.5 * (1 + np.tanh(0.5 * logits.astype(np.float64)))


def _sides(longer: int, largest: int) -> tuple[int, ...]:
    """Return the longer sides of the network's images, one for each pass.

    Args:
        longer: longer side of an image.
        largest: longer side of the second pass, at most.
    """
    second = min(int(_SHRINKING * longer), largest)
    return (SIDE, second) if second > SIDE else (SIDE,)


def _fit(image: ImageOrTensor, side: int) -> _Look:
    """Resize an image on its device, with its aspect ratio kept, and pad its sides."""
    height, width = image.shape[:2]
    longer = max(height, width)
    rows, columns = (max(1, round(n * side / longer)) for n in (height, width))
    full = [-(-n // SIDE_MULTIPLE) * SIDE_MULTIPLE for n in (rows, columns)]
    pixels: ImageOrTensor
    if isinstance(image, Tensor):
        pixels = image.new_zeros((*full, 3))
        pixels[:rows, :columns] = resize_on_device(image, rows, columns)
    else:
        smooth = cv2.INTER_AREA if side < longer else cv2.INTER_LINEAR
        pixels = np.zeros((*full, 3), np.uint8)
        pixels[:rows, :columns] = cv2.resize(image, (columns, rows), interpolation=smooth)
    return _Look(pixels, np.array([columns / width, rows / height]), side > SIDE)


def _stack(pixels: Sequence[ImageOrTensor]) -> ImageOrTensor:
    """Return images of one size as a batch, on their device."""
    tensors = [each for each in pixels if isinstance(each, Tensor)]
    return torch.stack(tensors) if tensors else np.stack(pixels)


def _prepare(network: PersonNetwork, device: torch.device, threads: int) -> _RunNetwork:
    if device.type == "cpu" and is_usable("onnxruntime"):
        return _prepare_onnxruntime(network, threads)
    network.to(device)

    def run(batches: Sequence[ImageOrTensor]) -> list[Maps]:
        with torch.inference_mode(), whole_float32():
            maps = [network(_move(images, device)) for images in batches]
            return _fetch(maps)

    return run


def _move(images: ImageOrTensor, device: torch.device) -> Tensor:
    """Return images on a device; if it is a GPU, nothing waits for them."""
    if isinstance(images, Tensor):
        return images.to(device)
    return upload(images, device) if device.type == "cuda" else torch.from_numpy(images)


def _fetch(tensors: Sequence[Tensor]) -> list[Maps]:
    """Return tensors as arrays: all in one copy, so that a GPU is waited for once."""
    if not tensors:
        return []
    joined: Maps = torch.cat([tensor.flatten() for tensor in tensors]).cpu().numpy()
    parts = np.split(joined, np.cumsum([tensor.numel() for tensor in tensors])[:-1])
    return [part.reshape(each.shape) for part, each in zip(parts, tensors, strict=True)]


def _prepare_onnxruntime(network: PersonNetwork, threads: int) -> _RunNetwork:
    onnxruntime = import_optional("onnxruntime", "the detector 'person' on a CPU")
    options = session_options(onnxruntime, threads)
    tensors = network.state_dict().items()
    identity = chain(["person detector"], *((name, tensor.numpy()) for name, tensor in tensors))
    content = export_once(identity, lambda: _export(network))
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def run(batches: Sequence[ImageOrTensor]) -> list[Maps]:
        return [session.run(None, {"images": np.asarray(images)})[0] for images in batches]

    return run


def _export(network: PersonNetwork) -> bytes:
    examples = torch.zeros(2, 2 * SIDE_MULTIPLE, SIDE_MULTIPLE, 3, dtype=torch.uint8)
    free = {0: "images", 1: "height", 2: "width"}
    return onnx_bytes(
        network, {"images": examples}, ("maps",), {"images": free, "maps": {0: "images"}}
    )
