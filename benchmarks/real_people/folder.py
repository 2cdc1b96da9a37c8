"""Folders of real people with ground truth: labelled photos and calibrated videos.

`people.json` describes everything in the folder:

- `joints`: the names of `JOINTS`, in that order.
- `photos`: each has its `image`, whether `everybody` in it is labelled, and `people`: `box_xyxy`
  in pixels, `joints_px` (12 times x, y and whether it is labelled) and whether they are `scored`.
- `videos`: each has the name of its file as `video`, the camera as in CameraInfo (`width`,
  `height`, `k`, `d`, `distortion_model`), and for its one person the `boxes_xyxy` and the
  `joints_m` in the camera's optical frame, for each frame; every `every`-th frame is scored.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats
from smpler_model.cameras.camera import Camera
from smpler_model.cameras.camera_info import camera_from_camera_info

PEOPLE_FILE = "people.json"

JOINTS = tuple(
    f"{side}_{name}"
    for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    for side in ("left", "right")
)
"""The 12 labelled joints: pairs down the arms, then down the legs."""

_REMEDY = "see benchmarks/real_people/folder.py for its contents"
_NO_RECTIFICATION = (1.0, 0, 0, 0, 0, 1.0, 0, 0, 0, 0, 1.0, 0)


@dataclass(frozen=True)
class PersonTruth:
    """A person in a photo.

    Attributes:
        box_xyxy: (4,) pixels.
        joints_px: (12, 2) in the order of `JOINTS`.
        labelled: (12,) bool, whether each joint is labelled.
        is_scored: whether the person counts.
    """

    box_xyxy: Floats
    joints_px: Floats
    labelled: NDArray[np.bool_]
    is_scored: bool

    @property
    def size_px(self) -> float:
        """The longer side of the box, the unit of errors."""
        return float((self.box_xyxy[2:] - self.box_xyxy[:2]).max())


@dataclass(frozen=True)
class PhotoTruth:
    """A photo.

    Attributes:
        image: name of the file in the folder.
        shows_everybody: whether everybody in it is among `people`.
        people: the labelled people.
    """

    image: str
    shows_everybody: bool
    people: tuple[PersonTruth, ...]

    @property
    def boxes_xyxy(self) -> Floats:
        """(n, 4) boxes of the people, pixels."""
        return np.array([person.box_xyxy for person in self.people]).reshape(-1, 4)


@dataclass(frozen=True)
class VideoTruth:
    """A video of one person.

    Attributes:
        video: name of the file in the folder.
        camera: camera that took it.
        every: every n-th frame is scored, including the first.
        boxes_xyxy: (frames, 4) pixels.
        joints_m: (frames, 12, 3) in the camera's optical frame.
    """

    video: str
    camera: Camera
    every: int
    boxes_xyxy: Floats
    joints_m: Floats

    @property
    def scored_frames(self) -> range:
        """The numbers of the scored frames."""
        return range(0, len(self.boxes_xyxy), self.every)


@dataclass(frozen=True)
class FolderTruth:
    """A folder of photos and videos with ground truth."""

    path: Path
    photos: tuple[PhotoTruth, ...]
    videos: tuple[VideoTruth, ...]


def read_folder(path: Path) -> FolderTruth:
    """Read a folder's description; its photos and videos are not opened.

    Raises:
        FileNotFoundError: there is no `people.json`, or a file that it names is missing.
        ValueError: it has another format.
    """
    file = path / PEOPLE_FILE
    if not file.is_file():
        raise FileNotFoundError(
            f"a folder of labelled people must hold {PEOPLE_FILE}, got none in {path}; check the "
            f"path, or {_REMEDY}"
        )
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        folder = _folder_from(path, content)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(
            f"{file} must describe labelled people, got {reason}; {_REMEDY}"
        ) from None
    names = [photo.image for photo in folder.photos] + [video.video for video in folder.videos]
    missing = [name for name in names if not (path / name).is_file()]
    if missing:
        raise FileNotFoundError(f"{file} must name existing files, got {missing[0]}; restore it")
    return folder


def _folder_from(path: Path, content: Mapping[str, Any]) -> FolderTruth:
    names = tuple(content["joints"])
    if names != JOINTS:
        raise ValueError(f"the joints {', '.join(names)} instead of {', '.join(JOINTS)}")
    return FolderTruth(
        path,
        tuple(_photo_from(photo) for photo in content.get("photos", ())),
        tuple(_video_from(video) for video in content.get("videos", ())),
    )


def _photo_from(content: Mapping[str, Any]) -> PhotoTruth:
    people = []
    for person in content["people"]:
        joints = np.array(person["joints_px"], np.float64).reshape(len(JOINTS), 3)
        people.append(
            PersonTruth(
                np.array(person["box_xyxy"], np.float64).reshape(4),
                joints[:, :2],
                joints[:, 2] > 0,
                bool(person["scored"]),
            )
        )
    return PhotoTruth(str(content["image"]), bool(content["everybody"]), tuple(people))


def _video_from(content: Mapping[str, Any]) -> VideoTruth:
    name = str(content["video"])
    camera = camera_from_camera_info(
        width=int(content["width"]),
        height=int(content["height"]),
        lens=str(content["distortion_model"]),
        coefficients=content["d"],
        k=content["k"],
        p=_NO_RECTIFICATION,
        rectified=False,
    )
    if camera is None:
        raise ValueError(f"no calibration for {name}")
    boxes = np.array(content["boxes_xyxy"], np.float64).reshape(-1, 4)
    joints = np.array(content["joints_m"], np.float64).reshape(-1, len(JOINTS), 3)
    if len(boxes) != len(joints):
        raise ValueError(f"{len(boxes)} boxes and joints of {len(joints)} frames for {name}")
    return VideoTruth(name, camera, int(content["every"]), boxes, joints)
