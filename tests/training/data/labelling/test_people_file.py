"""The file of labels is the one that prepare_photos reads."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.data.labelling.landmarks import JOINTS
from training.data.labelling.people_file import LabelledPhoto, write_people
from training.data.prepare_photos import read_labels


@given(seed=st.integers(0, 2**32 - 1))
def test_labels_are_read_back(tmp_path_factory: object, seed: int) -> None:
    folder: Path = tmp_path_factory.mktemp("labels")  # type: ignore[attr-defined]
    rng = np.random.default_rng(seed)
    box = np.array([1.23, 4.56, 78.91, 234.5])
    keypoints = np.column_stack((rng.uniform(0, 200, (19, 2)), rng.choice([0.5, 1], 19)))
    joints = np.column_stack((rng.normal(0, 1, (19, 3)), np.ones(19)))
    hips = [JOINTS.index(f"{side}_hip") for side in ("left", "right")]
    joints[:, :3] -= joints[hips, :3].mean(0)
    write_people(
        folder / "people.json",
        [
            LabelledPhoto("images/a.jpg", box, keypoints, joints),
            LabelledPhoto("images/b.jpg", box, keypoints, None),
        ],
    )
    known, flat = read_labels(folder / "people.json")
    assert known.image == folder / "images" / "a.jpg"
    (person,) = known.people
    np.testing.assert_allclose(person.box_xyxy, box, atol=0.051)
    np.testing.assert_allclose(person.keypoints, keypoints, atol=0.051)
    np.testing.assert_allclose(person.joints, joints, atol=1.1e-4)
    assert not flat.people[0].joints.any()
