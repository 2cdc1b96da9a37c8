from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.training.data.made_up_motion import FRAME_S, write_motion
from training.data.motion_files import read_bvh


@pytest.mark.parametrize("scheme", ["cmu", "daz", "plain"])
def test_joints_are_where_the_channels_put_them(scheme: str, tmp_path: Path) -> None:
    recording = read_bvh(write_motion(tmp_path / "walk.bvh", scheme))
    rows = recording.rows()
    assert recording.points.shape == (8, 15, 3)
    assert recording.frame_s == FRAME_S
    wrist = recording.points[:, rows["left_wrist"]]
    np.testing.assert_allclose(wrist[0], [69, 130, 0], atol=1e-9)
    np.testing.assert_allclose(wrist[-1], [18, 130, 51], atol=1e-9)
    ankle = recording.points[:, rows["right_ankle"]]
    np.testing.assert_allclose(ankle, np.tile([-10, 3, 0], (8, 1)), atol=1e-9)


def test_what_comes_before_a_colon_is_no_part_of_a_name(tmp_path: Path) -> None:
    path = write_motion(tmp_path / "walk.bvh")
    path.write_text(path.read_text().replace("JOINT ", "JOINT rig:"))
    assert {"left_hip", "right_wrist"} <= set(read_bvh(path).rows())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[: len(text) // 2], "got no MOTION"),
        (lambda text: text[:-20], "numbers for 8 frames of 48"),
        (lambda text: text.replace("90", "nan"), "not finite"),
        (lambda text: text.replace("Frames: 8", "Frames: many"), "complete BVH file"),
        (lambda text: text.replace("Time: 0.25", "Time: 0"), "got a frame time of 0 s"),
        (lambda text: text.replace("ROOT Hips", ""), "complete BVH file"),
        (lambda text: text.replace("Zrotation", "Wrotation"), "complete BVH file"),
        (lambda _: "", "got no MOTION"),
    ],
)
def test_damaged_files_get_a_sentence(
    change: Callable[[str], str], message: str, tmp_path: Path
) -> None:
    path = write_motion(tmp_path / "walk.bvh")
    path.write_text(change(path.read_text()))
    with pytest.raises(ValueError, match=message):
        read_bvh(path)
