"""Photos of people in files that training reads at full speed: squares around people, and joints.

A folder has two splits, `train` and `validation`. `SPLIT_images.npy` is an array (n, side, side,
3) uint8 RGB, which is memory-mapped; `SPLIT_labels.npz` has the `keypoints`, `joints` and `names`
of its people. The square of a person is `STORED_MARGIN` times the longer side of their bounding
box, so that a crop can be rotated, shifted and enlarged within it.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Generator, Tensor

from smpler_model.body.skeleton import H36M_JOINTS, SMPL_JOINTS
from smpler_model.cameras.crops import CROP_MARGIN
from training.data.data_settings import PhotoAugmentation
from training.data.image_changes import blank, coarsen, drain, hide_faces, tint

SPLITS = ("train", "validation")

STORED_MARGIN = 1.5
"""Side of a stored square over the longer side of the person's box."""

PHOTO_JOINTS = (
    *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
    *("right_wrist", "right_elbow", "right_shoulder"),
    *("left_shoulder", "left_elbow", "left_wrist"),
    *("neck", "top_of_head", "nose"),
    *("left_foot", "right_foot", "left_hand", "right_hand"),
)
"""Joints that may be labelled in photos. On the body, the neck and the joints above it up to the
nose are regressed from the mesh, as Human3.6M's joints of these names; the others are SMPL's."""

PHOTO_HIPS = [PHOTO_JOINTS.index(f"{side}_hip") for side in ("left", "right")]
"""Rows of both hips; their midpoint is the origin in space."""

_HEAD_ROWS = [PHOTO_JOINTS.index(name) for name in ("neck", "top_of_head")]

LIMB_JOINTS = PHOTO_JOINTS[:12]
"""Joints that every data set labels and for which errors are reported."""

MIRRORED_PHOTO_JOINTS = tuple(
    PHOTO_JOINTS.index(
        name.replace("left", "l_r").replace("right", "left").replace("l_r", "right")
    )
    for name in PHOTO_JOINTS
)
"""The joint on the other side of the body, for each of the 19."""

_REGRESSED = {"neck": "neck", "top_of_head": "head", "nose": "nose"}


def _body_row(name: str) -> int:
    if name in _REGRESSED:
        return len(SMPL_JOINTS) + H36M_JOINTS.index(_REGRESSED[name])
    return SMPL_JOINTS.index(name)


BODY_ROWS = tuple(_body_row(name) for name in PHOTO_JOINTS)
"""Their indices among the body's 24 joints followed by the 17 regressed ones."""


@dataclass(frozen=True)
class Photos:
    """b people in photos, for training.

    Attributes:
        images: (b, 3, s, s) RGB, 0 to 255, float32.
        keypoints: (b, 19, 3) `PHOTO_JOINTS` in the crop, [-1, 1], y down, with confidence.
        joints: (b, 19, 4) the same in space, metres, relative to the hips' midpoint, in the frame
            of a camera that looks at the crop, with confidence; 0 if unknown.
    """

    images: Tensor
    keypoints: Tensor
    joints: Tensor

    def __len__(self) -> int:
        return len(self.images)

    @property
    def has_joints(self) -> Tensor:
        """(b,) 1 if joints in space are known, else 0."""
        return (self.joints[..., 3] > 0).any(1).to(self.joints)

    def to(self, device: torch.device) -> "Photos":
        """Return the batch on a device."""
        return Photos(*(values.to(device, non_blocking=True) for values in vars(self).values()))


@dataclass(frozen=True)
class StoredPhotos:
    """n people as stored in a split.

    Attributes:
        images: (n, side, side, 3) uint8.
        keypoints: (n, 19, 3) float32; the stored square spans [-1, 1].
        joints: (n, 19, 4) float32.
        names: (n,) text.
    """

    images: NDArray[np.uint8]
    keypoints: NDArray[np.float32]
    joints: NDArray[np.float32]
    names: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.images)


class PhotoFiles:
    """The people of one split of a folder; images are read from disk on demand."""

    def __init__(self, folder: Path, split: str) -> None:
        """Open a split.

        Raises:
            FileNotFoundError: it is missing.
            ValueError: its files do not fit together.
        """
        images, labels = split_paths(folder, split)
        missing = [path for path in (images, labels) if not path.is_file()]
        if missing:
            raise FileNotFoundError(
                f"photos must have been prepared, got no {missing[0]}; run python -m "
                "training.data.prepare_photos"
            )
        self.paths = (images, labels)
        with np.load(labels, allow_pickle=False) as archive:
            self.stored = StoredPhotos(
                np.load(images, mmap_mode="r"),
                archive["keypoints"],
                archive["joints"],
                archive["names"],
            )
        self._check()

    def __len__(self) -> int:
        return len(self.stored)

    def batch(self, rows: Tensor, side: int) -> Photos:
        """Return people, rows (b,), with the pipeline's crop of `side` pixels, not augmented."""
        return cut(self._whole(rows), side, still(len(rows)))

    def changed(
        self, rows: Tensor, side: int, augmentation: PhotoAugmentation, generator: Generator
    ) -> Photos:
        """Return people, rows (b,), with random augmentation.

        Args:
            rows: rows of the people.
            side: side of the crops, pixels.
            augmentation: strength of the augmentation.
            generator: generator on the CPU.
        """
        window = draw_window(len(rows), augmentation, generator)
        cropped = cut(self._whole(rows), side, window)
        chosen = torch.rand(len(rows), generator=generator) < augmentation.flip
        mirrored = mirror(cropped)
        mixed = Photos(
            *(
                torch.where(chosen.reshape(-1, *(1,) * (no.ndim - 1)), yes, no)
                for yes, no in zip(vars(mirrored).values(), vars(cropped).values(), strict=True)
            )
        )
        images = mixed.images
        if augmentation.hidden_faces:
            heads = mixed.keypoints[:, _HEAD_ROWS]
            images = hide_faces(images, heads, generator, augmentation.hidden_faces)
        images = tint(images, generator, augmentation.colour)
        images = drain(images, generator, augmentation.grey)
        images = coarsen(images, generator, augmentation.coarse)
        return replace(mixed, images=blank(images, generator, augmentation.cutout))

    def _whole(self, rows: Tensor) -> Photos:
        chosen = rows.numpy()
        images = torch.from_numpy(np.ascontiguousarray(self.stored.images[chosen]))
        return Photos(
            images.permute(0, 3, 1, 2).float(),
            torch.from_numpy(self.stored.keypoints[chosen]),
            torch.from_numpy(self.stored.joints[chosen]),
        )

    def _check(self) -> None:
        images, keypoints, joints, names = vars(self.stored).values()
        n, k = len(images), len(PHOTO_JOINTS)
        fits = images.ndim == 4 and images.shape[1] == images.shape[2] and images.shape[3] == 3
        fits &= images.dtype == np.uint8 and keypoints.shape == (n, k, 3)
        if not (fits and joints.shape == (n, k, 4) and len(names) == n):
            raise ValueError(
                f"{self.paths[1]} must have keypoints ({n}, {k}, 3) and joints ({n}, {k}, 4) for "
                f"images (n, side, side, 3) uint8, got {keypoints.shape} and {joints.shape} for "
                f"{images.shape} {images.dtype}; prepare the photos again"
            )


@dataclass(frozen=True)
class Windows:
    """The part of each stored square that a crop shows.

    Attributes:
        centres: (b, 2) in the square, which spans [-1, 1].
        halves: (b,) half the crop's side; the square's is 1.
        turns: (b, 2, 2) from the crop's axes to the square's.
    """

    centres: Tensor
    halves: Tensor
    turns: Tensor


def still(count: int) -> Windows:
    """Return the windows of the pipeline's crops."""
    return Windows(
        torch.zeros(count, 2),
        torch.full((count,), CROP_MARGIN / STORED_MARGIN),
        torch.eye(2).expand(count, 2, 2),
    )


def draw_window(count: int, settings: PhotoAugmentation, generator: Generator) -> Windows:
    """Draw windows with random rotation, shift and size."""
    middle = still(count)
    spread, share = torch.randn(count, generator=generator), torch.rand(count, generator=generator)
    degrees = (settings.rotation_deg * spread).clamp(
        -2 * settings.rotation_deg, 2 * settings.rotation_deg
    )
    angles = torch.deg2rad(torch.where(share < settings.rotation_share, degrees, 0.0))
    cos, sin = angles.cos(), angles.sin()
    turns = torch.stack((cos, -sin, sin, cos), 1).reshape(count, 2, 2)
    sizes = 1 + settings.scale * (2 * torch.rand(count, generator=generator) - 1)
    halves = middle.halves * sizes
    moves = settings.shift * (2 * torch.rand(count, 2, generator=generator) - 1)
    return Windows(moves * halves[:, None], halves, turns)


def cut(photos: Photos, side: int, windows: Windows) -> Photos:
    """Cut windows out of images and labels; black outside the image.

    Args:
        photos: whole squares.
        side: side of the crops, pixels.
        windows: crop window of each photo.
    """
    scaled = windows.halves[:, None, None] * windows.turns
    square_from_crop = torch.cat((scaled, windows.centres[..., None]), 2)  # (b, 2, 3)
    grid = F.affine_grid(square_from_crop, [len(photos), 3, side, side], align_corners=False)
    images = F.grid_sample(photos.images, grid, align_corners=False)
    # Row vectors are multiplied from the left, so this matrix maps from the square to the crop.
    apart = photos.keypoints[..., :2] - windows.centres[:, None]
    points = apart @ windows.turns / windows.halves[:, None, None]
    joints = photos.joints[..., :2] @ windows.turns
    return Photos(
        images,
        torch.cat((points, photos.keypoints[..., 2:]), 2),
        torch.cat((joints, photos.joints[..., 2:]), 2),
    )


def mirror(photos: Photos) -> Photos:
    """Return mirrored people: left limbs become right ones."""
    rows = list(MIRRORED_PHOTO_JOINTS)
    return Photos(
        photos.images.flip(-1),
        photos.keypoints[:, rows] * torch.tensor([-1.0, 1.0, 1.0]),
        photos.joints[:, rows] * torch.tensor([-1.0, 1.0, 1.0, 1.0]),
    )


def split_paths(folder: Path, split: str) -> tuple[Path, Path]:
    """Return the paths of a split's images and labels."""
    return folder / f"{split}_images.npy", folder / f"{split}_labels.npz"
