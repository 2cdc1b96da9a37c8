"""Tracks of a video are found and counted."""

import argparse
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.video_tracks import VideoTracks, describe, follow, read_range
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.cameras.camera import camera_from_field_of_view
from smpler_model.settings.pipeline import PipelineSettings
from synthetic.scene import SyntheticScene

pytestmark = pytest.mark.slow

ROOM = range(2)
"""Images without people, in front of those with somebody."""


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """An empty room, then one person in it, as a folder of images."""
    camera = camera_from_field_of_view(320, 240, 60.0)
    scene = SyntheticScene(Body(load_builtin_body()), camera, people=1, empty_s=1.0)
    shown = [scene.frame(0), scene.frame(10**8)]
    shown += [scene.frame(4 * 10**9 + row * 10**8) for row in range(4)]
    assert [len(each.truth) for each in shown] == [0, 0, 1, 1, 1, 1]
    for row, each in enumerate(shown):
        cv2.imwrite(str(tmp_path / f"{row}.png"), each.frame.rgb[..., ::-1])
    return tmp_path


def test_a_person_is_followed_from_the_first_sure_detection_on(film: Path) -> None:
    found = follow(str(film), PipelineSettings())
    (track,) = found.tracks
    assert (found.images, track.rows) == (6, [2, 3, 4, 5])
    assert found.boxes == [0, 0, 1, 1, 1, 1]
    assert found.count_boxes([ROOM]) == (2, 0)
    assert found.count_boxes([range(2, 100)]) == (4, 4)
    table, line = describe("room.mp4", found, [ROOM])
    assert "2 to 5" in table
    assert line == (
        "room.mp4: 1 ids in 6 images, of which 4 have boxes; 0 boxes in the 2 images said to be "
        "empty"
    )
    assert track.tile is not None
    assert np.asarray(track.tile).shape == (300, 300, 3)


def test_ranges_of_images() -> None:
    assert read_range("3-5") == range(3, 6)
    for wrong in ("3", "5-3", "-3", "a-b", "1-2-3"):
        with pytest.raises(argparse.ArgumentTypeError, match="must be FIRST-LAST"):
            read_range(wrong)


def test_overlapping_ranges_count_once() -> None:
    assert VideoTracks(4, 10.0, [], [1, 0, 2, 0]).count_boxes([range(3), range(1, 9)]) == (4, 3)
