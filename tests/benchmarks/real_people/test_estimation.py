"""People are estimated in the given boxes and placed through their camera's lens."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.oracle import Oracle
from benchmarks.real_people.estimation import ONE_IMAGE, Observer, read_video
from benchmarks.real_people.folder import read_folder
from benchmarks.real_people.scoring import score_video
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from tests.benchmarks.real_people.made_up import CAMERA, video_of, write_folder, write_people


@pytest.fixture(scope="module")
def body() -> Body:
    return Body(load_builtin_body())


def test_who_knows_the_truth_makes_no_error(tmp_path: Path, body: Body) -> None:
    frame, truth = write_folder(tmp_path, body)
    oracle = Oracle(body)
    oracle.tell(frame.rgb, CAMERA, truth, ONE_IMAGE.crop_margin)
    folder = read_folder(tmp_path)
    (video,) = folder.videos
    observer = Observer(oracle)
    found = {}
    for number, image in read_video(folder, video):
        (person,) = observer.look(image, video.boxes_xyxy[number, None])
        assert person is not None
        found[number] = person.joints_m
    assert list(found) == [0, 2, 4]
    scores = score_video(video, found)
    assert scores is not None
    assert scores.mpjpe_mm < 0.1
    assert scores.hips_m < 2e-3


def test_each_box_has_its_own_person_wherever_they_overlap(body: Body, tmp_path: Path) -> None:
    frame, truth = write_folder(tmp_path, body)
    oracle = Oracle(body)
    oracle.tell(frame.rgb, CAMERA, truth, ONE_IMAGE.crop_margin)
    box = truth.visible_boxes_xyxy[0]
    boxes = np.array([box, box + 1, box + np.array([40, 0, 40, 0]), box])
    seen = Observer(oracle).look(frame, boxes)
    lefts = [person.joints_px[:, 0].mean() for person in seen if person is not None]
    assert lefts[1] - lefts[0] == pytest.approx(1, abs=0.2)
    assert lefts[2] - lefts[0] == pytest.approx(40, abs=4)
    assert lefts[3] == pytest.approx(lefts[0])


def test_boxes_may_give_nobody(
    body: Body, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame, truth = write_folder(tmp_path, body)
    oracle = Oracle(body)
    oracle.tell(frame.rgb, CAMERA, truth, ONE_IMAGE.crop_margin)
    person = oracle.estimate(np.empty((1, 3, 1, 1), np.uint8))
    monkeypatch.setattr(oracle, "estimate", lambda crops: person[: len(crops)])
    boxes = np.array([[60.0, 50, 20, 30], truth.visible_boxes_xyxy[0]])
    nobody, somebody = Observer(oracle).look(frame, boxes)
    assert nobody is None
    assert somebody is not None


def test_nobody_is_looked_for_where_there_are_no_boxes(body: Body, tmp_path: Path) -> None:
    frame, _ = write_folder(tmp_path, body)
    assert Observer(Oracle(body)).look(frame, np.empty((0, 4))) == []


def test_a_video_that_is_shorter_than_its_labels_is_refused(tmp_path: Path, body: Body) -> None:
    _, truth = write_folder(tmp_path, body)
    video = video_of(truth)
    video["boxes_xyxy"] *= 2
    video["joints_m"] *= 2
    write_people(tmp_path, {"videos": [video]})
    folder = read_folder(tmp_path)
    with pytest.raises(ValueError, match="must have the 10 frames that are labelled, got 5"):
        list(read_video(folder, folder.videos[0]))
