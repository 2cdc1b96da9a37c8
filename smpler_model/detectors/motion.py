"""Finds people who move in front of a still camera; needs no weights."""

from dataclasses import dataclass

import cv2
import numpy as np

from smpler_model.array_types import Floats, RgbImage
from smpler_model.detectors.detector import Detections, detections_from

_SHADOW = 127  # OpenCV's mark of a shadow in the foreground mask
_MATCH_STEP = 2  # every second pixel suffices to estimate the change of exposure
_BAND = 32  # levels of the background that share one median
_LEAST_BAND = 0.01  # of all pixels
_FARTHEST_LEVELS = 30
_LARGEST_POWER = 2.0  # no change of exposure bends tones by more


@dataclass(frozen=True)
class BackgroundConfig:
    """Parameters of background subtraction.

    Attributes:
        working_height: images are shrunk to about this height first, pixels.
        learning_images: number of images over which the background is first learned, quickly.
        forget_images: afterwards, what stands still for this many images becomes background.
        variance_threshold: squared distance, in variances, beyond which a pixel is foreground.
        least_variance: minimum variance of a background pixel, squared levels; covers changing
            light.
        darkest_shadow: fraction of its brightness to which a shadow may dim the background;
            anything darker is foreground.
        min_height: minimum height of a person as a fraction of the image's height.
        min_fill: minimum fraction of foreground pixels in a box.
        max_aspect: maximum width over height of a person, with arms spread.
        join_gap: maximum gap between the parts of one person, as a fraction of the image's height.
    """

    working_height: int = 240
    learning_images: int = 25
    forget_images: int = 10000
    variance_threshold: float = 16.0
    least_variance: float = 40.0
    darkest_shadow: float = 0.75
    min_height: float = 0.15
    min_fill: float = 0.2
    max_aspect: float = 1.5
    join_gap: float = 0.04


class MotionDetector:
    """Subtracts a background learned from the images and finds upright, person-sized blobs.

    People visible from the first image on are background until they move. State: the background;
    `reset` forgets it.
    """

    def __init__(self, config: BackgroundConfig | None = None) -> None:
        self._config = config or BackgroundConfig()
        self.reset()

    def reset(self) -> None:
        """Forget the background."""
        self._subtractor = cv2.createBackgroundSubtractorMOG2(
            history=self._config.forget_images,
            varThreshold=self._config.variance_threshold,
            detectShadows=True,
        )
        self._subtractor.setShadowThreshold(self._config.darkest_shadow)
        self._subtractor.setVarMin(self._config.least_variance)
        self._subtractor.setVarInit(2 * self._config.least_variance)
        self._seen = 0

    def detect(self, rgb: RgbImage) -> Detections:
        """Return upright moving blobs of a person's size in an (h, w, 3) uint8 RGB image."""
        config = self._config
        scale = min(1.0, config.working_height / rgb.shape[0])
        small = np.asarray(
            cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
        )
        if self._seen and small.shape != self._subtractor.getBackgroundImage().shape:
            self.reset()
        self._seen += 1
        learning = self._seen <= config.learning_images
        rate = 1.0 / (self._seen if learning else config.forget_images)
        if self._seen > 1:
            small = match_exposure(
                small, np.asarray(self._subtractor.getBackgroundImage(), np.uint8)
            )
        mask = self._subtractor.apply(small, learningRate=rate)
        if learning:
            return detections_from([])
        foreground = self._clean((mask > _SHADOW).astype(np.uint8))
        boxes, fills = self._person_boxes(foreground)
        # A shrunk pixel i covers the pixels from i / scale - 1/2 on, counted from their centres.
        return detections_from(boxes / scale + (0.5 / scale - 0.5), fills)

    def _clean(self, foreground: RgbImage) -> RgbImage:
        """Remove specks, then join the parts of a person."""
        speck = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
        gap = max(3, round(self._config.join_gap * len(foreground)) | 1)
        joint = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (gap, 2 * gap + 1))
        opened = cv2.morphologyEx(foreground, cv2.MORPH_OPEN, speck)
        return np.asarray(cv2.morphologyEx(opened, cv2.MORPH_CLOSE, joint), np.uint8)

    def _person_boxes(self, foreground: RgbImage) -> tuple[Floats, Floats]:
        config = self._config
        _, _, table, _ = cv2.connectedComponentsWithStats(foreground)
        left, top, width, height, area = np.asarray(table[1:], np.float64).T
        fill = area / (width * height)
        person = (
            (height >= config.min_height * len(foreground))
            & (width <= config.max_aspect * height)
            & (fill >= config.min_fill)
        )
        boxes = np.stack([left, top, left + width - 1, top + height - 1], 1)
        return boxes[person], np.clip(fill[person] + 0.4, 0, 1)


def match_exposure(rgb: RgbImage, background: RgbImage) -> RgbImage:
    """Undo the change of exposure and white balance that a person causes by appearing.

    Automatic exposure does not only scale: dark surfaces brighten by more than bright ones. So
    each channel has a gain and a power, fitted to medians of image and background over pixels of
    similar background; medians ignore a foreground of less than half of them. Both images are
    (h, w, 3) uint8.
    """
    image, behind = (array[::_MATCH_STEP, ::_MATCH_STEP] for array in (rgb, background))
    usable = ((behind > 16) & (behind < 240) & (image > 8) & (image < 250)).all(-1)
    if usable.mean() < 0.1:
        return rgb
    curves = [_tone_curve(image[usable, c], behind[usable, c]) for c in range(3)]
    return np.asarray(cv2.LUT(rgb, np.stack(curves, 1)[None]), np.uint8)


def _tone_curve(image: RgbImage, behind: RgbImage) -> RgbImage:
    """Return (256,) background levels by image levels, from n pixels of both."""
    gain = float(np.median(behind / image.astype(np.float32)))
    points = []
    for band in np.unique(behind // _BAND):
        inside = behind // _BAND == band
        x, y = float(np.median(image[inside])), float(np.median(behind[inside]))
        # A band that a person occludes differs from the others.
        if inside.mean() >= _LEAST_BAND and abs(x * gain - y) <= _FARTHEST_LEVELS:
            points.append((np.log(x), np.log(y), inside.mean()))
    power, offset = _fit_line(np.array(points).reshape(-1, 3))
    if not 1 / _LARGEST_POWER <= power <= _LARGEST_POWER:  # too few bands, or another scene
        power, offset = 1.0, float(np.log(gain))
    matched = np.exp(offset) * np.arange(256.0) ** power
    return np.asarray((matched + 0.5).clip(0, 255), np.uint8)


def _fit_line(points: Floats) -> tuple[float, float]:
    """Fit a line to points (n, 3) of x, y, weight; return slope and offset, 0, 0 for equal x."""
    x, y, weight = points.T
    total = weight.sum()
    spread = float((weight * (x - (weight * x).sum() / max(total, 1e-9)) ** 2).sum())
    if spread < 1e-6:
        return 0.0, 0.0
    x_mean, y_mean = (weight * x).sum() / total, (weight * y).sum() / total
    slope = float((weight * (x - x_mean) * (y - y_mean)).sum() / spread)
    return slope, float(y_mean - slope * x_mean)
