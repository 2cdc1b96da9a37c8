"""The benchmark of several views: who is who, what counts as wrong, and the whole command."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import views
from benchmarks.views import ViewScores, compare, errors_of, main, name_people, read_views
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.frames import CameraPose
from tests.benchmarks.real_people.made_up import write_folder
from tests.posed import pose_joints
from tests.smpler_model.views.test_fusion import scene

ALL = list(range(24))


def truths_of(seed: int) -> dict[int, np.ndarray]:
    """Return the true joints of the three people of a scene by id, from 7 on."""
    result = scene(seed, 1, 0.0)[0]
    assert result.pose is not None
    matrix = result.pose.fixed_from_camera
    world = result.people.joints_m @ matrix[:3, :3].T + matrix[:3, 3]
    return {7 + row: joints for row, joints in enumerate(world)}


def test_exact_views_have_no_error() -> None:
    scores = ViewScores()
    compare(scores, pose_joints, scene(0, 3, 0.0), [[7, 8, 9]] * 3, truths_of(0), ALL)
    assert (scores.wrong, scores.missed, len(scores.fused)) == (0, 0, 3)
    for row in (*scores.fused, *scores.surest, *np.concatenate(scores.views)):
        np.testing.assert_allclose(row, 0, atol=1e-3)
    assert [row[1] for row in scores.rows("rendered")] == [
        *("views", "the surest view", "the better view", "fused")
    ]


def test_the_better_view_is_the_least_of_each_figure_and_the_surest_the_most_confident() -> None:
    results = scene(0, 2, 1.0)
    sure = np.linspace(0.9, 1.0, 24)[None].repeat(3, 0)
    results[1] = replace(results[1], people=replace(results[1].people, joint_confidences=sure))
    scores = ViewScores()
    compare(scores, pose_joints, results, [[7, 8, 9]] * 2, truths_of(0), ALL)
    rows = {row[1]: row for row in scores.rows("rendered")}
    errors = np.array(scores.views)  # (people, views, figures)
    assert rows["the better view"][2] == f"{errors.min(1).mean(0)[0]:.0f}"
    assert rows["the surest view"][2] == f"{errors[:, 1, 0].mean():.0f}"


def test_a_join_with_somebody_else_is_wrong_and_a_person_in_two_groups_missed() -> None:
    results = scene(0, 2, 0.0)
    exchanged = ViewScores()
    compare(exchanged, pose_joints, results, [[7, 8, 9], [8, 7, 9]], truths_of(0), ALL)
    assert (exchanged.wrong, exchanged.missed) == (2, 2)
    nobody = ViewScores()
    compare(nobody, pose_joints, results, [[7, 8, 9], [7, 8, -1]], truths_of(0), ALL)
    assert (nobody.wrong, nobody.missed, len(nobody.fused)) == (1, 0, 2)
    elsewhere = np.eye(4)
    elsewhere[:3, 3] = 0, 5, 0
    assert results[1].pose is not None
    moved = CameraPose("map", elsewhere @ results[1].pose.fixed_from_camera)
    apart = ViewScores()
    compare(
        apart, pose_joints, [results[0], replace(results[1], pose=moved)], [[7, 8, 9]] * 2,
        truths_of(0), ALL,
    )  # fmt: skip
    assert apart.missed == 3


def test_errors_are_those_of_the_metrics() -> None:
    truth = truths_of(0)[7]
    far = truth + np.array((0.3, 0, 0.4))
    np.testing.assert_allclose(errors_of(far, truth), [0, 0, 0.5], atol=1e-6)
    pelvis = truth[1:3].mean(0)
    mpjpe, aligned, hips = errors_of(pelvis + 1.1 * (truth - pelvis), truth)
    assert mpjpe > 20
    np.testing.assert_allclose((aligned, hips), 0, atol=1e-3)


def test_people_are_named_by_the_boxes_that_overlap_most() -> None:
    true = np.array([[0, 0, 10, 10], [20, 0, 30, 10.0]])
    found = np.array([[21, 0, 31, 10], [1, 0, 11, 10], [0, 0, 10, 9], [50, 0, 60, 10.0]])
    assert name_people(found, true, [3, 4]) == [4, -1, 3, -1]
    assert name_people(found[:0], true, [3, 4]) == []
    assert name_people(found[:1], true[:0], []) == [-1]


def test_a_mistyped_folder_is_named_before_anything_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delattr(views, "measure_rendered")
    monkeypatch.setattr(sys, "argv", ["views", str(tmp_path / "nowhere")])
    assert main() == 1
    said = capsys.readouterr().err
    assert said.startswith("error: a folder of labelled people must hold people.json, got none")


def test_a_folder_needs_two_videos(tmp_path: Path) -> None:
    write_folder(tmp_path, Body(load_builtin_body()))
    with pytest.raises(ValueError, match="two or more videos of the same frames, got 1 of 1"):
        read_views(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("boxes", ["detector", "truth"])
def test_the_command(
    boxes: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(views, "_PERIOD_S", 8.0)  # its middle is when everybody is in the room
    arguments = ["views", "--scenes", "1", "--frames", "1", "--boxes", boxes]
    monkeypatch.setattr(sys, "argv", [*arguments, "--json", str(tmp_path / "views.json")])
    assert main() == 0
    written = json.loads((tmp_path / "views.json").read_text())
    assert {row[0] for row in written["rows"]} == {"rendered, 2 cameras", "rendered, 4 cameras"}
    printed = capsys.readouterr().out
    assert "wrong joins" in printed
    assert "ms CPU a person" in printed
