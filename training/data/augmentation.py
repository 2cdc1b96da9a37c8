"""Square crops around people, and their augmentation together with the labels.

Source: SMPLer and the data releases that it trains on. The crop is the square of 200 pixels times
`scale` around `center`, with corners rounded to whole pixels, black outside the image, resized
bilinearly. Labelled joints are rounded to whole pixels of the crop as well. Differs: a rotated
crop is made by one warp instead of two.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from smpler_model.array_types import Floats, Integers
from smpler_model.body.skeleton import LABELLED_JOINTS, MIRRORED_JOINTS, other_side
from training.data.data_settings import Augmentation

SCALE_PX = 200.0
"""Side of a square of scale 1, pixels."""


MIRRORED_LABELS = tuple(LABELLED_JOINTS.index(other_side(name)) for name in LABELLED_JOINTS)
"""The labelled joint on the other side of the body, for each of the 24."""


@dataclass(frozen=True)
class Change:
    """The augmentation of one image and its labels.

    Attributes:
        flip: whether it is mirrored.
        gains: factors of red, green and blue.
        rotation_deg: rotation, counter-clockwise in the image.
        scale: factor of the crop's size.
    """

    flip: bool = False
    gains: tuple[float, float, float] = (1.0, 1.0, 1.0)
    rotation_deg: float = 0.0
    scale: float = 1.0


NO_CHANGE = Change()


def draw_change(settings: Augmentation, rng: np.random.Generator) -> Change:
    """Draw the augmentation of one training image."""
    flip = rng.random() < settings.flip
    gains = rng.uniform(1 - settings.colour, 1 + settings.colour, 3)
    limit = 2 * settings.rotation_deg
    turn = float(np.clip(rng.normal(0, settings.rotation_deg), -limit, limit))
    turns = rng.random() < settings.rotation_share
    size = 1 + float(np.clip(rng.normal(0, settings.scale), -settings.scale, settings.scale))
    red, green, blue = (float(gain) for gain in gains)
    return Change(bool(flip), (red, green, blue), turn if turns else 0.0, size)


@dataclass(frozen=True)
class Window:
    """The square of an image that a crop shows.

    Attributes:
        centre_px: (2,) x and y.
        scale: scale of the square, in units of 200 pixels.
        side: side of the crop, pixels.
        rotation_deg: rotation of the content, counter-clockwise in the image.
    """

    centre_px: tuple[float, float]
    scale: float
    side: int
    rotation_deg: float = 0.0

    def crop_from_image(self, points_px: Floats) -> Floats:
        """Return the pixels (n, 2) of the image in the crop, in [-1, 1], rounded to its pixels."""
        size = SCALE_PX * self.scale
        half = self.side / 2
        apart = (points_px - self.centre_px) * (self.side / size)
        turned = apart @ turn_matrix(self.rotation_deg)[:2, :2].T + half
        whole = np.trunc(turned) + 1
        return np.asarray(2 * whole / self.side - 1)

    def cut(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the crop (side, side, 3) of an image (h, w, 3), 0 to 255.

        Raises:
            ValueError: the square has no pixel.
        """
        size = SCALE_PX * self.scale
        low = np.trunc(np.subtract(self.centre_px, size / 2)).astype(int)
        high = np.trunc(np.add(self.centre_px, size / 2)).astype(int)
        width, height = high - low
        if width <= 0 or height <= 0:
            raise ValueError(
                f"a crop must have pixels, got scale {self.scale:g} around {self.centre_px}; "
                "correct the label"
            )
        if self.rotation_deg:
            return self._warp(rgb, low, width, height)
        square = np.zeros((height, width, 3))  # float64, as blending needs more than 24 bits
        top, left = max(0, -low[1]), max(0, -low[0])
        seen = rgb[max(0, low[1]) : max(0, high[1]), max(0, low[0]) : max(0, high[0])]
        square[top : top + len(seen), left : left + seen.shape[1]] = seen
        resized = cv2.resize(square, (self.side, self.side), interpolation=cv2.INTER_LINEAR)
        return np.asarray(resized, np.float32)

    def _warp(
        self, rgb: NDArray[np.uint8], low: Integers, width: int, height: int
    ) -> NDArray[np.float32]:
        middle = (self.side - 1) / 2
        stretch = np.diag((width / self.side, height / self.side))
        image_from_crop = stretch @ turn_matrix(-self.rotation_deg)[:2, :2]
        centre = low + np.array((width - 1, height - 1)) / 2
        offset = centre - image_from_crop @ (middle, middle)
        warped = cv2.warpAffine(
            rgb,
            np.column_stack((image_from_crop, offset)),
            (self.side, self.side),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
        )
        return np.asarray(warped, np.float32)


def turn_matrix(degrees: float) -> Floats:
    """Return the (3, 3) rotation in the image plane, counter-clockwise as seen; y points down."""
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])


def change_image(crop: NDArray[np.float32], change: Change) -> NDArray[np.float32]:
    """Mirror a (side, side, 3) crop and change its colours."""
    mirrored = crop[:, ::-1] if change.flip else crop
    return np.asarray(np.clip(mirrored * np.array(change.gains), 0, 255), np.float32)


def change_keypoints(keypoints: Floats, change: Change) -> Floats:
    """Mirror (24, 3) joints of a crop, x in [-1, 1], with their confidence."""
    if not change.flip:
        return keypoints
    return np.asarray(keypoints[list(MIRRORED_LABELS)] * np.array([-1.0, 1.0, 1.0]))


def change_joints(joints: Floats, change: Change) -> Floats:
    """Rotate and mirror (24, 4) joints in space, metres, with their confidence."""
    turned = np.column_stack((joints[:, :3] @ turn_matrix(change.rotation_deg).T, joints[:, 3]))
    if not change.flip:
        return turned
    return np.asarray(turned[list(MIRRORED_LABELS)] * np.array([-1.0, 1.0, 1.0, 1.0]))


def change_pose(pose: Floats, change: Change) -> Floats:
    """Rotate and mirror the (72,) axis-angle vectors of SMPL's 24 joints, radians."""
    vectors = pose.reshape(-1, 3).copy()
    if change.rotation_deg:
        turned = turn_matrix(change.rotation_deg) @ Rotation.from_rotvec(vectors[0]).as_matrix()
        vectors[0] = Rotation.from_matrix(turned).as_rotvec()
    if change.flip:
        # Mirroring reverses a rotation's components about the axes in the mirror's plane.
        vectors = vectors[list(MIRRORED_JOINTS)] * np.array([1.0, -1.0, -1.0])
    return vectors.reshape(-1)
