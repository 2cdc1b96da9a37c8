"""What detectors in ONNX files want for input and how their outputs are read.

Four forms are known. All boxes leave this module as edges in pixels of the network's input.

- YOLOX (Ge et al., 2021): one tensor (1, n, 5 + classes) of centre, size, objectness and class
  scores for each cell of the grids of strides 8, 16, 32 (and 64). Centre and log size are relative
  to the cell, or decoded to pixels already. Input: BGR 0 to 255, top left in a grey letterbox.
- DETR with sigmoid scores, such as RF-DETR and Deformable DETR (Zhu et al., 2021): boxes (1, q, 4)
  of centre and size over those of the image, and logits (1, q, classes). Input: RGB stretched to
  the network's size, standardised by ImageNet's mean and deviation.
- RT-DETR (Zhao et al., 2024) and D-FINE with their last step inside: a second input of two
  integers takes the size that boxes refer to; labels (1, q), boxes (1, q, 4) of edges, and scores
  (1, q). Input: RGB 0 to 1, stretched.
- RTMDet (Lyu et al., 2022) as MMDeploy exports it, with the suppression of overlaps inside: dets
  (1, n, 5) of edges and score, and labels (1, n). Input: BGR standardised by ImageNet's mean and
  deviation, top left in a grey letterbox. Its raw heads, a tensor for each scale, are not read;
  other networks that MMDeploy exports look the same from outside: give their `scaling`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats
from smpler_model.network.config import IMAGENET_MEAN, IMAGENET_STD

Bytes = NDArray[np.uint8]
Outputs = Mapping[str, NDArray[Any]]
Scaling = Literal["bgr_bytes", "bgr_imagenet", "rgb_unit", "rgb_imagenet"]

_GREY = 114
_COCO_SPARSE = 91  # classes where COCO's own numbers are kept; person is 1 there, else 0


class Form(Protocol):
    """One way of asking a network for boxes."""

    @property
    def scaling(self) -> Scaling:
        """Which numbers the input's pixels are, unless the file asks for bytes."""

    @property
    def letterboxed(self) -> bool:
        """Whether the image keeps its aspect, with grey beside it."""

    @property
    def overlapping(self) -> bool:
        """Whether one person is found several times."""

    @property
    def classes(self) -> int | None:
        """How many classes there are, None where the file does not tell."""

    @property
    def person_class(self) -> int:
        """Index of person if the network was trained on COCO."""

    def score(self, outputs: Outputs, person_class: int) -> Floats:
        """Return how certain each of the n boxes is a person, (n) from 0 to 1."""

    def locate(self, outputs: Outputs, chosen: NDArray[np.intp]) -> Floats:
        """Return edges of the (m) chosen boxes, (m, 4) pixels of the input."""


@dataclass(frozen=True)
class YoloxForm:
    """Boxes of grid cells.

    Attributes:
        name: name of the output.
        classes: how many.
        cells: (n, 2) column and row of each cell, counted in its grid.
        strides: (n, 1) size of each cell, pixels.
        decoded: whether boxes are pixels already.
    """

    name: str
    classes: int
    cells: Floats
    strides: Floats
    decoded: bool

    scaling: Scaling = "bgr_bytes"
    letterboxed: bool = True
    overlapping: bool = True
    person_class: int = 0

    def score(self, outputs: Outputs, person_class: int) -> Floats:
        """Return objectness times class score."""
        table = outputs[self.name][0].astype(np.float64)  # (n, 5 + classes)
        return np.asarray(table[:, 4] * table[:, 5 + person_class], np.float64)

    def locate(self, outputs: Outputs, chosen: NDArray[np.intp]) -> Floats:
        """Return the chosen cells' edges."""
        table = outputs[self.name][0, chosen, :4].astype(np.float64)
        centres, sizes = table[:, :2], table[:, 2:]
        if not self.decoded:
            strides = self.strides[chosen]
            centres = (centres + self.cells[chosen]) * strides
            sizes = np.exp(np.minimum(sizes, 20)) * strides  # no image is e^20 cells wide
        return _edges(centres, sizes)


@dataclass(frozen=True)
class DetrForm:
    """Boxes of queries, one for each object.

    Attributes:
        boxes: name of that output.
        logits: likewise.
        classes: how many.
        size: (height, width) of the input.
    """

    boxes: str
    logits: str
    classes: int
    size: tuple[int, int]

    scaling: Scaling = "rgb_imagenet"
    letterboxed: bool = False
    overlapping: bool = False

    @property
    def person_class(self) -> int:
        """1 among COCO's own 91 numbers; else 0."""
        return 1 if self.classes == _COCO_SPARSE else 0

    def score(self, outputs: Outputs, person_class: int) -> Floats:
        """Return the sigmoid of the class' logit."""
        logits = outputs[self.logits][0, :, person_class].astype(np.float64)
        return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)), np.float64)  # cannot overflow

    def locate(self, outputs: Outputs, chosen: NDArray[np.intp]) -> Floats:
        """Return the chosen queries' edges."""
        height, width = self.size
        boxes = outputs[self.boxes][0, chosen].astype(np.float64) * (width, height, width, height)
        return _edges(boxes[:, :2], boxes[:, 2:])


@dataclass(frozen=True)
class RtDetrForm:
    """Boxes of queries with the best class of each.

    Attributes:
        labels: name of that output.
        boxes: likewise.
        scores: likewise.
    """

    labels: str
    boxes: str
    scores: str

    scaling: Scaling = "rgb_unit"
    letterboxed: bool = False
    overlapping: bool = False
    classes: None = None
    person_class: int = 0

    def score(self, outputs: Outputs, person_class: int) -> Floats:
        """Return the scores of people, 0 for anything else."""
        scores = outputs[self.scores][0].astype(np.float64)
        return np.where(outputs[self.labels][0] == person_class, scores, 0.0)

    def locate(self, outputs: Outputs, chosen: NDArray[np.intp]) -> Floats:
        """Return the chosen queries' edges."""
        return np.asarray(outputs[self.boxes][0, chosen], np.float64)


@dataclass(frozen=True)
class RtmDetForm:
    """Boxes after the suppression of overlaps, with score and class of each.

    Attributes:
        dets: name of that output.
        labels: likewise.
    """

    dets: str
    labels: str

    scaling: Scaling = "bgr_imagenet"
    letterboxed: bool = True
    overlapping: bool = False
    classes: None = None
    person_class: int = 0

    def score(self, outputs: Outputs, person_class: int) -> Floats:
        """Return the scores of people, 0 for anything else."""
        scores = outputs[self.dets][0, :, 4].astype(np.float64)
        return np.where(outputs[self.labels][0] == person_class, scores, 0.0)

    def locate(self, outputs: Outputs, chosen: NDArray[np.intp]) -> Floats:
        """Return the chosen boxes' edges."""
        return np.asarray(outputs[self.dets][0, chosen, :4], np.float64)


def fit_image(rgb: Bytes, size: tuple[int, int], *, letterboxed: bool) -> tuple[Bytes, Floats]:
    """Give an image a network's size.

    Args:
        rgb: (h, w, 3).
        size: (height, width) to return.
        letterboxed: keep the aspect, top left, grey beside it; else stretch.

    Returns:
        (height, width, 3) pixels, and the (2) factors of x and y that turned edges into theirs.
    """
    (height, width), (rows, columns) = rgb.shape[:2], size
    if letterboxed:
        if height * columns > width * rows:
            columns = max(1, width * rows // height)
        else:
            rows = max(1, height * columns // width)
    resized = cv2.resize(rgb, (columns, rows), interpolation=cv2.INTER_LINEAR)
    fitted = np.full((*size, 3), _GREY, np.uint8)
    fitted[:rows, :columns] = resized
    return fitted, np.array([columns / width, rows / height])


def scale_pixels(rgb: Bytes, scaling: Scaling) -> NDArray[np.float32]:
    """Turn (h, w, 3) bytes into the numbers that a network was trained with, channels last."""
    pixels = rgb.astype(np.float32)
    if scaling == "bgr_bytes":
        return pixels[..., ::-1]
    pixels /= 255
    if scaling.endswith("imagenet"):
        pixels -= np.asarray(IMAGENET_MEAN, np.float32)
        pixels /= np.asarray(IMAGENET_STD, np.float32)
    return pixels[..., ::-1] if scaling.startswith("bgr") else pixels


def _edges(centres: Floats, sizes: Floats) -> Floats:
    return np.concatenate([centres - sizes / 2, centres + sizes / 2], 1)
