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
        is_scored: whether the person counts where a joint is labelled.
    """

    box_xyxy: Floats
    joints_px: Floats
    labelled: NDArray[np.bool_]
    is_scored: bool

    @property
    def counts(self) -> bool:
        """Whether the person has an error that counts."""
        return self.is_scored and bool(self.labelled.any())

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
    image = str(content["image"])
    for person in content["people"]:
        (box,) = _boxes_from([person["box_xyxy"]], image)
        joints = np.array(person["joints_px"], np.float64).reshape(len(JOINTS), 3)
        labelled = joints[:, 2] > 0
        _check_finite(joints[labelled], image)
        people.append(PersonTruth(box, joints[:, :2], labelled, bool(person["scored"])))
    return PhotoTruth(image, bool(content["everybody"]), tuple(people))


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
    boxes = _boxes_from(content["boxes_xyxy"], name)
    joints = np.array(content["joints_m"], np.float64).reshape(-1, len(JOINTS), 3)
    if not len(boxes) or len(boxes) != len(joints):
        raise ValueError(f"{len(boxes)} boxes and joints of {len(joints)} frames for {name}")
    _check_finite(joints, name)
    every = int(content["every"])
    if every < 1:
        raise ValueError(f"every {every} for {name}, which scores no frame")
    return VideoTruth(name, camera, every, boxes, joints)


def _boxes_from(content: Any, name: str) -> Floats:  # noqa: ANN401 - JSON of any kind
    """Return boxes (n, 4) that have an area."""
    boxes: Floats = np.array(content, np.float64)
    if boxes.size and boxes.shape[1:] != (4,):
        raise ValueError(f"boxes that are not four numbers each for {name}")
    boxes = boxes.reshape(-1, 4)
    has_area = np.isfinite(boxes).all(1) & (boxes[:, 2:] > boxes[:, :2]).all(1)
    if not has_area.all():
        shown = ", ".join(f"{edge:g}" for edge in boxes[~has_area][0])
        raise ValueError(f"the box {shown} for {name}, which is not left, top, right, bottom")
    return boxes


def _check_finite(joints: Floats, name: str) -> None:
    if not np.isfinite(joints).all():
        raise ValueError(f"joints that are no finite numbers for {name}")
