"""One body from several views against single views: `python -m benchmarks.views [FOLDER]`.

Drawn: four people of a synthetic scene move about, seen at the same time by 2 or 4 calibrated
cameras around them. The detector finds them, as in the pipeline; people it finds count where their
boxes overlap those of the visible pixels by half. With `--boxes truth`, the boxes of all
visible pixels are given, even of people of whom only a hand shows, whom no detector would report.
Real: the videos of FOLDER (see `real_people.folder`) that show one person at the same time, with
the labelled boxes. The cameras' poses against each other follow from the labelled joints, which
are given in each camera's frame.

The figures are means over all people and moments with at least two views: MPJPE and PA-MPJPE, and
the distance of the hips' midpoint from the true one in the fixed frame. `views` is the mean over
single views, `the surest view` the one with the highest confidences, `the better view` the one
with the smaller error in each case and for each figure, which is unknown without the truth, and
`fused` the one body. `wrong joins` are groups with two people in them, or one person and a
false detection; `missed` are people in more than one group.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from benchmarks.real_people.estimation import BODY_JOINTS
from benchmarks.real_people.folder import FolderTruth, read_folder
from benchmarks.timing import format_table, write_results
from smpler_model.array_types import Floats, Integers
from smpler_model.assembly import build_pipeline, detector_factory
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.body.smpl import Body
from smpler_model.camera_pipeline import PipelineConfig
from smpler_model.cameras.camera import Camera
from smpler_model.detectors.box_overlap import box_overlaps
from smpler_model.detectors.detector import Detector, GivenBoxes, detections_from
from smpler_model.frames import CameraPose, Frame, FrameResult
from smpler_model.inference.estimator import Estimator
from smpler_model.people.metrics import MM_FROM_M, aligned_joint_error
from smpler_model.people.tracker import TrackerConfig
from smpler_model.pipeline import Pipeline
from smpler_model.settings.pipeline import PipelineSettings
from smpler_model.sources import open_source
from smpler_model.views.fusion import Pose, fuse_views
from smpler_model.views.memory import ViewMemory
from smpler_model.views.posing import BodyJoints
from smpler_model.views.sightings import view_of
from synthetic.scene import SyntheticScene

CAMERA = Camera(640, 480, 480, 480, 319.5, 239.5)
CIRCLE = ((-3.6, 0.3, 1.5), (0.6, -4.2, 1.2), (0.6, 4.2, 1.8), (3.0, 0.2, 1.4))
"""Positions of the rendered cameras in the room, metres."""

LEAST_OVERLAP = 0.5
"""Least overlap (intersection over union) of a found box and that of a person's visible pixels."""

_TARGET = (0.5, 0.0, 0.85)
_PEOPLE, _PERIOD_S = 4, 30.0
_BEGIN_S = 4.0  # of moments in a row: everybody is in the room
_MOST_PEOPLE = 1000
_AT_ONCE = PipelineConfig(tracker=TrackerConfig(confirm_frames=1), smoothing=None)
_ALL_JOINTS = list(range(len(SMPL_JOINTS)))
_NAMES = ("MPJPE, mm", "PA-MPJPE, mm", "hips off, m")


class SceneFrom(SyntheticScene):
    """The same scene, seen from another place."""

    def __init__(self, body: Body, place_m: tuple[float, float, float], seed: int) -> None:
        self._pose = look_from(place_m)
        super().__init__(
            body, CAMERA, people=_PEOPLE, seed=seed, duration_s=_PERIOD_S, background="room"
        )

    def world_from_camera(self, stamp_ns: int) -> Floats:
        """Return the camera's pose (4, 4); it is still."""
        del stamp_ns
        return self._pose


@dataclass
class ViewScores:
    """Errors of single views and of the fused body; a row of three figures for each person.

    Attributes:
        views: for each person, (v, 3) errors of the single views.
        surest: for each person, (3,) errors of the view with the highest confidences.
        fused: for each person, (3,).
        wrong: groups with two people in them.
        missed: people in more than one group.
        seconds: CPU time of fusing, which has no threads; those of the network, which go on
            waiting for work at full load, do not count.
        people: fused people, those with one view included.
    """

    views: list[Floats] = field(default_factory=list)
    surest: list[Floats] = field(default_factory=list)
    fused: list[Floats] = field(default_factory=list)
    wrong: int = 0
    missed: int = 0
    seconds: float = 0.0
    people: int = 0

    def rows(self, title: str) -> list[list[str]]:
        """Return the table's rows."""
        if not self.fused:
            return [[title, "no person in two views", "", "", ""]]
        means = {
            "views": np.mean([each.mean(0) for each in self.views], 0),
            "the surest view": np.mean(self.surest, 0),
            "the better view": np.mean([each.min(0) for each in self.views], 0),
            "fused": np.mean(self.fused, 0),
        }
        return [
            [title, name, f"{row[0]:.0f}", f"{row[1]:.0f}", f"{row[2]:.3f}"]
            for name, row in means.items()
        ]

    def line(self, title: str) -> str:
        """Return what the table does not say."""
        cost_ms = 1e3 * self.seconds / max(self.people, 1)
        return (
            f"{title}: {len(self.fused)} people in two views or more, {self.wrong} wrong joins, "
            f"{self.missed} missed; fusing takes {cost_ms:.2f} ms CPU a person"
        )


def look_from(place_m: tuple[float, float, float]) -> Floats:
    """Return the pose (4, 4) of a camera that looks at the middle of the room."""
    forward = np.array(_TARGET) - place_m
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3] = np.column_stack((right, np.cross(forward, right), forward, place_m))
    return pose


@dataclass(frozen=True)
class Watcher:
    """Finds people in single images, without a past.

    Attributes:
        estimator: the network.
        find: returns a detector.
    """

    estimator: Estimator
    find: Callable[[], Detector]

    def estimate(self, frame: Frame, pose: Floats) -> FrameResult:
        """Return the people that the detector finds, with the camera's pose."""
        result = Pipeline(self.estimator, self.find, _AT_ONCE).process(frame)
        return replace(result, pose=CameraPose("room", pose))

    def estimate_in(self, frame: Frame, boxes_xyxy: Floats, pose: Floats) -> FrameResult:
        """Return the people in boxes of an image, in their order, with the camera's pose."""
        detector = GivenBoxes()
        detector.give(detections_from(boxes_xyxy))
        result = Watcher(self.estimator, lambda: detector).estimate(frame, pose)
        if len(result.people) != len(boxes_xyxy):
            raise ValueError(
                f"every box must give a person, got {len(result.people)} of {len(boxes_xyxy)}; "
                "give a trained model with --model"
            )
        return result


def name_people(found_xyxy: Floats, true_xyxy: Floats, true_ids: Sequence[int]) -> list[int]:
    """Return the true ids of found people; -1 for those who match no true one."""
    overlaps = box_overlaps(found_xyxy, true_xyxy)
    names = [-1] * len(found_xyxy)
    for row, column in zip(*linear_sum_assignment(-overlaps), strict=True):
        if overlaps[row, column] >= LEAST_OVERLAP:
            names[row] = true_ids[column]
    return names


def compare(
    scores: ViewScores,
    pose: Pose,
    results: Sequence[FrameResult],
    names: Sequence[Sequence[int]],
    truths_m: Mapping[int, Floats],
    joints: list[int],
    memory: ViewMemory | None = None,
) -> None:
    """Fuse the views of one moment and add the errors.

    Args:
        scores: what they are added to.
        pose: poses the fused bodies.
        results: a result of each view.
        names: for each view, the true ids of its people; -1 for false detections.
        truths_m: true joints (j, 3) in the fixed frame by id.
        joints: the SMPL joints that the true ones are.
        memory: of the moments before; None if each is fused alone.
    """
    views = [view_of(result).people for result in results]
    if memory is not None:
        memory = memory.at(results[0].stamp_ns)
        views = [
            replace(people, ids=track_ids(view, named))
            for view, (people, named) in enumerate(zip(views, names, strict=True))
        ]
    start = time.thread_time()
    fused = fuse_views(views, pose, memory)
    scores.seconds += time.thread_time() - start
    scores.people += len(fused)
    groups: dict[int, list[int]] = {}
    for row, members in enumerate(fused.rows.tolist()):
        found = {names[view][at] for view, at in enumerate(members) if at >= 0}
        scores.wrong += len(found) > 1
        for id_ in found:
            groups.setdefault(id_, []).append(row)
    for id_, rows in groups.items():
        shown = [view for view, there in enumerate(names) if id_ in there]
        if id_ < 0 or len(shown) < 2:
            continue
        scores.missed += len(rows) > 1
        largest = max(rows, key=lambda row: int((fused.rows[row] >= 0).sum()))
        truth = truths_m[id_]
        scores.fused.append(errors_of(fused.joints_m[largest, joints], truth))
        at = [names[view].index(id_) for view in shown]
        alone = [
            errors_of(views[view].joints_m[row, joints], truth)
            for view, row in zip(shown, at, strict=True)
        ]
        trusts = [views[view].trusts[row] for view, row in zip(shown, at, strict=True)]
        scores.views.append(np.array(alone))
        scores.surest.append(alone[int(np.argmax(trusts))])


def track_ids(view: int, names: Sequence[int]) -> Integers:
    """Return ids, unique over views, of the true tracks of people; others share no id."""
    own = [name if name >= 0 else _MOST_PEOPLE - 1 - row for row, name in enumerate(names)]
    return _MOST_PEOPLE * view + np.array(own, np.int64)


def errors_of(found_m: Floats, truth_m: Floats) -> Floats:
    """Return MPJPE and PA-MPJPE, mm, and the hips' error, m, of joints (24 or 12, 3)."""
    names = [SMPL_JOINTS[row] for row in (_ALL_JOINTS if len(found_m) == 24 else BODY_JOINTS)]
    hips = [names.index("left_hip"), names.index("right_hip")]
    off = found_m[hips].mean(0) - truth_m[hips].mean(0)
    mpjpe = MM_FROM_M * np.linalg.norm(found_m - truth_m - off, axis=1).mean()
    aligned = float(aligned_joint_error(found_m[None], truth_m[None])[0])
    return np.array([mpjpe, aligned, np.linalg.norm(off)])


def measure_rendered(
    watcher: Watcher,
    views: int,
    seeds: range,
    frames: int,
    *,
    given: bool = False,
    step_s: float | None = None,
) -> list[ViewScores]:
    """Return the errors on rendered people, seen by the first cameras of `CIRCLE`.

    Args:
        watcher: finds people.
        views: number of cameras.
        seeds: of the scenes.
        frames: moments of each scene.
        given: whether the true boxes are given.
        step_s: time between moments; None if they are spread over the scene.

    Returns:
        The errors of each moment alone and, where they are in a row, over time.
    """
    found = [ViewScores()] if step_s is None else [ViewScores(), ViewScores()]
    body, pose_body = Body(load_builtin_body()), BodyJoints(watcher.estimator.model.body)
    spread_s = _PERIOD_S * (np.arange(frames) + 0.5) / frames
    times_s = spread_s if step_s is None else _BEGIN_S + step_s * np.arange(frames)
    for seed in seeds:
        memories = (None, ViewMemory())
        scenes = [SceneFrom(body, place_m, seed) for place_m in CIRCLE[:views]]
        for time_s in times_s:
            results, names, truths = look(watcher, scenes, round(time_s * 1e9), given=given)
            for scores, memory in zip(found, memories, strict=False):
                compare(
                    *(scores, pose_body, results, names, truths, _ALL_JOINTS),
                    memory,
                )
    return found


def look(
    watcher: Watcher, scenes: Sequence[SceneFrom], stamp_ns: int, *, given: bool
) -> tuple[list[FrameResult], list[list[int]], dict[int, Floats]]:
    """Return the people found in each view, their true ids, and all true joints in the room."""
    results, names = [], []
    truths: dict[int, Floats] = {}
    for scene in scenes:
        shown = scene.frame(stamp_ns)
        pose, truth = shown.truth.world_from_camera, shown.truth
        boxes, ids = truth.visible_boxes_xyxy, truth.ids.tolist()
        if given:
            results.append(watcher.estimate_in(shown.frame, boxes, pose))
            names.append(ids)
        else:
            results.append(watcher.estimate(shown.frame, pose))
            names.append(name_people(results[-1].people.boxes_xyxy, boxes, ids))
        world = truth.joints_m @ pose[:3, :3].T + pose[:3, 3]
        truths |= dict(zip(ids, world, strict=True))
    return results, names, truths


def measure_real(
    watcher: Watcher, folder: FolderTruth, skip: int
) -> tuple[list[ViewScores], float]:
    """Return the errors on synchronous videos, and how well their labels agree, metres.

    Args:
        watcher: has the network.
        folder: folder with at least two videos of the same frames.
        skip: every n-th of the scored frames is used.

    Returns:
        The errors of each moment alone and over time.
    """
    first, pose_body = folder.videos[0], BodyJoints(watcher.estimator.model.body)
    poses = [align_rigidly(video.joints_m, first.joints_m) for video in folder.videos]
    apart = [
        np.linalg.norm(video.joints_m @ pose[:3, :3].T + pose[:3, 3] - first.joints_m, axis=-1)
        for video, pose in zip(folder.videos, poses, strict=True)
    ]
    found, wanted = [ViewScores(), ViewScores()], first.scored_frames[::skip]
    memories = (None, ViewMemory())
    streams = [_frames_of(folder, view, wanted) for view in range(len(folder.videos))]
    for number, frames in zip(wanted, zip(*streams, strict=True), strict=True):
        results = [
            watcher.estimate_in(frame, video.boxes_xyxy[number, None], pose)
            for frame, video, pose in zip(frames, folder.videos, poses, strict=True)
        ]
        truths = {0: first.joints_m[number]}
        names = [[0]] * len(results)
        for scores, memory in zip(found, memories, strict=True):
            compare(*(scores, pose_body, results, names, truths, BODY_JOINTS), memory)
    return found, float(np.max(apart))


def align_rigidly(points_m: Floats, target_m: Floats) -> Floats:
    """Return (4, 4), the rotation and translation that brings points closest to others.

    Source: Umeyama, "Least-squares estimation of transformation parameters between two point
    patterns", TPAMI 1991; without scale.
    """
    points, target = points_m.reshape(-1, 3), target_m.reshape(-1, 3)
    middle, target_middle = points.mean(0), target.mean(0)
    u, _, vh = np.linalg.svd((points - middle).T @ (target - target_middle))
    signs = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vh))])
    pose = np.eye(4)
    pose[:3, :3] = (u @ signs @ vh).T
    pose[:3, 3] = target_middle - pose[:3, :3] @ middle
    return pose


def read_views(path: Path) -> FolderTruth:
    """Read a folder of videos of the same person and frames.

    Raises:
        FileNotFoundError: it describes no people, or a file that it names is missing.
        ValueError: it has another format, or its videos are not synchronous.
    """
    folder = read_folder(path)
    frames = {video.scored_frames for video in folder.videos}
    if len(folder.videos) < 2 or len(frames) > 1:
        raise ValueError(
            f"{path} must hold two or more videos of the same frames, got {len(folder.videos)} of "
            f"{len(frames)} different sets of frames; give the "
            "folder of one moment seen by several cameras"
        )
    return folder


def _frames_of(folder: FolderTruth, view: int, wanted: range) -> Iterator[Frame]:
    video = folder.videos[view]
    with open_source(str(folder.path / video.video), video.camera) as source:
        for number, frame in enumerate(source.frames):
            if number in wanted:
                yield frame
            if number >= wanted[-1]:
                return


def _titled(title: str, found: Sequence[ViewScores]) -> dict[str, ViewScores]:
    """Return the errors of moments alone, and over time if they were measured, by title."""
    return dict(zip((title, f"{title}, over time"), found, strict=False))


def main() -> int:
    """Parse the command line and measure; return 1 after an error, which is one sentence."""
    parser = argparse.ArgumentParser(description="One body from several views.")
    parser.add_argument("folder", type=Path, nargs="?", help="folder with synchronous videos")
    parser.add_argument("--model", default="smpler_nano", help="shipped model, or checkpoint")
    parser.add_argument(
        "--boxes",
        choices=("detector", "truth"),
        default="detector",
        help="boxes of rendered people",
    )
    parser.add_argument("--scenes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0, help="seed of the first scene")
    parser.add_argument("--frames", type=int, default=12, help="moments per scene")
    parser.add_argument("--step", type=float, help="time between rendered moments, s")
    parser.add_argument("--skip", type=int, default=1, help="use every n-th scored real frame")
    parser.add_argument("--json", type=Path, help="file for the figures")
    chosen = parser.parse_args()
    settings = PipelineSettings(model=chosen.model)
    seeds = range(chosen.seed, chosen.seed + chosen.scenes)
    found: dict[str, ViewScores] = {}
    lines = []
    try:
        folder = read_views(chosen.folder) if chosen.folder else None
        estimator = build_pipeline(settings, GivenBoxes).estimator
        watcher = Watcher(estimator, detector_factory(settings, estimator.device))
        for views in (2, len(CIRCLE)):
            rendered = measure_rendered(
                *(watcher, views, seeds, chosen.frames),
                given=chosen.boxes == "truth",
                step_s=chosen.step,
            )
            found |= _titled(f"rendered, {views} cameras", rendered)
        if folder:
            real, apart_m = measure_real(watcher, folder, chosen.skip)
            found |= _titled("real, 2 cameras", real)
            lines.append(f"real: the labels of the views agree within {1e3 * apart_m:.1f} mm")
    except (ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    rows = [row for title, scores in found.items() for row in scores.rows(title)]
    lines += [scores.line(title) for title, scores in found.items()]
    table = format_table(["people", "estimate", *_NAMES], rows)
    write_results({"rows": rows, "notes": lines}, table + "\n\n" + "\n".join(lines), chosen.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
