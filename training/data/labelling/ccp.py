"""Clothing Co-Parsing: 2,098 street photos of one standing person each, without joints.

Yang, Luo and Lin, Clothing Co-Parsing by Joint Image Segmentation and Labeling, CVPR 2014. The
person fills the photo. A second network locates them; predictions are kept if both agree.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from smpler_model.array_types import Floats
from smpler_model.hashes import hash_files
from training.data.labelling.agreement import VISIBLE, judge_with_second
from training.data.labelling.answers import Answers, ask_about, nothing, stack
from training.data.labelling.landmarks import LANDMARKS
from training.data.labelling.people_file import LabelledPhoto
from training.data.labelling.photo_reading import read_photo
from training.data.labelling.pose_network import Network, PoseNetwork, look, with_mirror
from training.data.labelling.regions import Region

_LOOKS = 2  # passes of the second network, each where the previous one saw the person
_LEAST_SCORE = 0.3
_RADII = (0.05, 1.2)  # bounds of a person's radius, as a share of the image's height


def label(
    folder: Path, teacher: Path, second: Path, first: int | None = None
) -> list[LabelledPhoto]:
    """Label photos; `answers.npz` in the folder stores the networks' predictions.

    Args:
        folder: data set with the folder `photos`.
        teacher: file of the pose landmark network.
        second: file of another one, which must agree with it.
        first: label only this many photos, the first ones.

    Raises:
        ValueError: an invalid file, or ai_edge_litert is missing.
        OSError: a file is missing or cannot be written.
    """
    names = [f"photos/{path.name}" for path in sorted((folder / "photos").glob("*.jpg"))][:first]
    if not names:
        raise FileNotFoundError(f"photos must be JPEG files in {folder / 'photos'}, got none")
    networks = with_mirror(PoseNetwork(teacher)), PoseNetwork(second)

    def ask(name: str) -> Answers:
        return find(read_photo(folder / name), *networks)

    answers = ask_about(names, ask, folder / "answers.npz", hash_files([teacher, second]))
    taught = answers[:, 0]
    verdict = judge_with_second(taught, answers[:, 1])
    boxes = boxes_around(taught)
    photos = []
    for row in tqdm(np.flatnonzero(verdict.kept).tolist(), desc="labels"):
        height, width = read_photo(folder / names[row]).shape[:2]
        box = boxes[row].reshape(2, 2).clip(0, [width - 1, height - 1]).ravel()
        photos.append(LabelledPhoto(names[row], box, verdict.keypoints[row], verdict.joints[row]))
    return photos


def find(rgb: NDArray[np.uint8], teacher: Network, second: Network) -> Answers:
    """Return both networks' predictions for the person who fills an (h, w, 3) image.

    Returns:
        Predictions of teacher and second network along the first axis; no person if the
        second one loses them.
    """
    height, width = rgb.shape[:2]
    region = Region(np.array([width / 2, 0.52 * height]), np.array([0.0, -1.0]), 0.5 * height)
    least, most = _RADII
    for _ in range(_LOOKS):
        other, region = look(rgb, region, second)
        if other.score < _LEAST_SCORE or not least < region.radius / height < most:
            return stack([nothing(len(LANDMARKS))] * 2)
    return stack([look(rgb, region, teacher)[0], other])


def boxes_around(answers: Answers) -> Floats:
    """Return (n, 4) boxes around visible landmarks, with margins for hair and shoes."""
    visible = answers.visibility[..., None] > VISIBLE
    least = np.where(visible, answers.points_px, np.inf).min(1)
    most = np.where(visible, answers.points_px, -np.inf).max(1)
    tall = (most - least)[:, 1:]
    return np.concatenate((least - tall * [0.05, 0.12], most + tall * [0.05, 0.04]), 1)
