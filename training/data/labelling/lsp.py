"""Leeds Sports Pose, extended: 10,000 photos of athletes with 14 labelled joints each.

Johnson and Everingham, Learning Effective Human Pose Estimation from Inaccurate Annotation, CVPR
2011. The teacher sees a region around the labels; predictions are kept if they agree.
"""

import zlib
from pathlib import Path

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError
from tqdm import tqdm

from smpler_model.array_types import Floats
from smpler_model.hashes import hash_files
from training.data.labelling.agreement import Verdict, judge_with_labels
from training.data.labelling.answers import Answers, ask_about, stack
from training.data.labelling.people_file import LabelledPhoto
from training.data.labelling.photo_reading import read_photo
from training.data.labelling.pose_network import PoseNetwork, look, with_mirror
from training.data.labelling.regions import regions_around

_JOINTS = 14
_NO_MATLAB = (MatReadError, NotImplementedError, EOFError, zlib.error)
_BOX_MARGIN = 0.06  # of its longer side
_OUTSIDE = 0.1  # of the image's side, how far outside a joint may be


def read_joints(path: Path) -> Floats:
    """Read the labels of a `joints.mat`.

    Returns:
        (n, 14, 3) pixels, and 1 if the joint is labelled, else 0; in the order of
        `landmarks.JOINTS`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it contains something else.
    """
    if not path.is_file():
        raise FileNotFoundError(f"Leeds Sports Pose must have a joints.mat, got no {path}")
    try:
        joints = np.asarray(loadmat(path)["joints"], np.float64)
    except (*_NO_MATLAB, LookupError, TypeError, ValueError):
        joints = np.zeros(0)
    if joints.ndim != 3 or joints.shape[:2] != (_JOINTS, 3) or not np.isfinite(joints).all():
        raise ValueError(
            f"{path} must have numbers `joints` of shape (14, 3, n), got something else; take "
            "that of the extended data set"
        )
    return joints.transpose(2, 0, 1).copy()


def label(folder: Path, teacher: Path, first: int | None = None) -> list[LabelledPhoto]:
    """Label photos; `answers.npz` in the folder stores the teacher's predictions.

    Args:
        folder: data set with `joints.mat` and the folder `images`.
        teacher: file of the pose landmark network.
        first: label only this many photos, the first ones.

    Raises:
        ValueError: an invalid file, or ai_edge_litert is missing.
        OSError: a file is missing or cannot be written.
    """
    labels = read_joints(folder / "joints.mat")[:first]
    names = [f"images/im{number:05d}.jpg" for number in range(1, len(labels) + 1)]
    regions = dict(zip(names, regions_around(labels), strict=True))
    network = with_mirror(PoseNetwork(teacher))

    def ask(name: str) -> Answers:
        return stack([look(read_photo(folder / name), regions[name], network)[0]])

    made_from = hash_files([teacher, folder / "joints.mat"])
    answers = ask_about(names, ask, folder / "answers.npz", made_from)
    return photos_of(folder, names, judge_with_labels(labels, answers[:, 0]))


def photos_of(folder: Path, names: list[str], verdict: Verdict) -> list[LabelledPhoto]:
    """Return the labels of photos, without those with swapped sides, and without duplicates."""
    boxes = boxes_around(verdict.keypoints)
    seen: set[str] = set()
    photos = []
    for row, name in enumerate(tqdm(names, desc="labels")):
        if verdict.swapped[row] or not verdict.keypoints[row, :, 2].any():
            continue
        digest = hash_files([folder / name])
        if digest in seen:
            continue
        seen.add(digest)
        height, width = read_photo(folder / name).shape[:2]
        box, keypoints = within(boxes[row], verdict.keypoints[row], width, height)
        joints = verdict.joints[row] if verdict.kept[row] else None
        photos.append(LabelledPhoto(name, box, keypoints, joints))
    return photos


def boxes_around(keypoints: Floats) -> Floats:
    """Return (n, 4) boxes around known (n, 19, 3) keypoints, with a margin."""
    known = keypoints[..., 2:] > 0
    least = np.where(known, keypoints[..., :2], np.inf).min(1)
    most = np.where(known, keypoints[..., :2], -np.inf).max(1)
    margin = _BOX_MARGIN * (most - least).max(1, keepdims=True)
    return np.concatenate((least - margin, most + margin), 1)


def within(box: Floats, keypoints: Floats, width: int, height: int) -> tuple[Floats, Floats]:
    """Clip a box to the image; keypoints far outside get confidence 0."""
    size = np.array([width, height])
    share = keypoints[:, :2] / size
    inside = ((share > -_OUTSIDE) & (share < 1 + _OUTSIDE)).all(1)
    confidence = keypoints[:, 2] * inside
    corners = box.reshape(2, 2).clip(0, size - 1)
    return corners.ravel(), np.column_stack((keypoints[:, :2], confidence))
