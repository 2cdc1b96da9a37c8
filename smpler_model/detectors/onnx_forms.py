"""Forms of detectors in ONNX files: which input they expect and how their outputs are read.

Four forms are known. All boxes leave this module as edges in pixels of the network's input.

- YOLOX (Ge et al., 2021): one tensor (1, n, 5 + classes) of centre, size, objectness and class
  scores for each cell of the grids of strides 8, 16, 32 (and 64). Centre and log size are relative
  to the cell, or already decoded to pixels. Input: BGR 0 to 255, top left in a grey letterbox.
- DETR with sigmoid scores, such as RF-DETR and Deformable DETR (Zhu et al., 2021): boxes (1, q, 4)
  of centre and size as fractions of the image, and logits (1, q, classes). Input: RGB stretched to
  the network's size, standardised by ImageNet's mean and deviation.
- RT-DETR (Zhao et al., 2024) and D-FINE with their postprocessing inside: a second input of two
  integers is the image size that boxes refer to; labels (1, q), boxes (1, q, 4) of edges, and
  scores (1, q). Input: RGB 0 to 1, stretched.
- RTMDet (Lyu et al., 2022) as exported by MMDeploy, with non-maximum suppression inside: dets
  (1, n, 5) of edges and score, and labels (1, n). Input: BGR standardised by ImageNet's mean and
  deviation, top left in a grey letterbox. Its raw heads, one tensor per scale, are not supported;
  other networks exported by MMDeploy have the same outputs: set `scaling` for them.
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
_COCO_SPARSE = 91  # classes under COCO's original numbers; person is 1 there, else 0


class Form(Protocol):
    """The inputs and outputs of one family of networks."""

    @property
    def scaling(self) -> Scaling:
        """The pixels' scaling, unless the file takes bytes."""

    @property
    def letterboxed(self) -> bool:
        """Whether the image keeps its aspect ratio, padded with grey."""

    @property
    def overlapping(self) -> bool:
        """Whether a person can be found several times."""

    @property
    def classes(self) -> int | None:
        """Number of classes, None if the file does not tell."""

    @property
    def person_class(self) -> int:
        """Index of the class person if the network was trained on COCO."""

    def score(self, outputs: Outputs, person_class: int) -> Floats:
        """Return the confidence that each of the n boxes is a person, (n) from 0 to 1."""

    def locate(self, outputs: Outputs, chosen: NDArray[np.intp]) -> Floats:
        """Return edges of the m chosen boxes, (m, 4) pixels of the input."""


@dataclass(frozen=True)
class YoloxForm:
    """Boxes of grid cells.

    Attributes:
        name: name of the output.
        classes: number of classes.
        cells: (n, 2) column and row of each cell within its grid.
        strides: (n, 1) size of each cell, pixels.
        decoded: whether boxes are already in pixels.
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
        """Return the edges of the chosen cells' boxes."""
        table = outputs[self.name][0, chosen, :4].astype(np.float64)
        centres, sizes = table[:, :2], table[:, 2:]
        if not self.decoded:
            strides = self.strides[chosen]
            centres = (centres + self.cells[chosen]) * strides
            sizes = np.exp(np.minimum(sizes, 20)) * strides  # no image is e^20 cells wide
        return _edges(centres, sizes)


@dataclass(frozen=True)
class DetrForm:
    """Boxes of queries, one query per object.

    Attributes:
        boxes: name of the output with the boxes.
        logits: name of the output with the logits.
        classes: number of classes.
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
        """1 under COCO's original 91 numbers, else 0."""
        return 1 if self.classes == _COCO_SPARSE else 0

    def score(self, outputs: Outputs, person_class: int) -> Floats:
        """Return the sigmoid of the class's logit."""
        logits = outputs[self.logits][0, :, person_class].astype(np.float64)
        return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)), np.float64)  # cannot overflow

    def locate(self, outputs: Outputs, chosen: NDArray[np.intp]) -> Floats:
        """Return the edges of the chosen queries' boxes."""
        height, width = self.size
        boxes = outputs[self.boxes][0, chosen].astype(np.float64) * (width, height, width, height)
        return _edges(boxes[:, :2], boxes[:, 2:])


@dataclass(frozen=True)
class RtDetrForm:
    """Boxes of queries with the best class of each.

    Attributes:
        labels: name of the output with the classes.
        boxes: name of the output with the boxes.
        scores: name of the output with the scores.
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
        """Return the scores of people, 0 for other classes."""
        scores = outputs[self.scores][0].astype(np.float64)
        return np.where(outputs[self.labels][0] == person_class, scores, 0.0)

    def locate(self, outputs: Outputs, chosen: NDArray[np.intp]) -> Floats:
        """Return the edges of the chosen queries' boxes."""
        return np.asarray(outputs[self.boxes][0, chosen], np.float64)


@dataclass(frozen=True)
class RtmDetForm:
    """Boxes after non-maximum suppression, with score and class of each.

    Attributes:
        dets: name of the output with boxes and scores.
        labels: name of the output with the classes.
    """

    dets: str
    labels: str

    scaling: Scaling = "bgr_imagenet"
    letterboxed: bool = True
    overlapping: bool = False
    classes: None = None
    person_class: int = 0

    def score(self, outputs: Outputs, person_class: int) -> Floats:
        """Return the scores of people, 0 for other classes."""
        scores = outputs[self.dets][0, :, 4].astype(np.float64)
        return np.where(outputs[self.labels][0] == person_class, scores, 0.0)

    def locate(self, outputs: Outputs, chosen: NDArray[np.intp]) -> Floats:
        """Return the edges of the chosen boxes."""
        return np.asarray(outputs[self.dets][0, chosen, :4], np.float64)


def fit_image(rgb: Bytes, size: tuple[int, int], *, letterboxed: bool) -> tuple[Bytes, Floats]:
    """Resize an image to a network's input.

    Args:
        rgb: (h, w, 3).
        size: (height, width) of the result.
        letterboxed: keep the aspect ratio, with the image top left and grey padding; else stretch.

    Returns:
        (height, width, 3) pixels, and the (2) factors by which x and y of edges were multiplied.
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
    """Turn (h, w, 3) bytes into the numbers that the network was trained with, channels last."""
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
