"""Errors of positions and velocities against the scene's truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.world.scene import (
    BASE_FROM_CAMERA,
    DURATION_S,
    STARTS_S,
    WALKING_M_S,
    Kind,
    RobotScene,
)
from benchmarks.world.topics import Answer, Source, world_positions
from smpler_model.array_types import Floats, Integers
from smpler_model.cameras.messages import NS_PER_S
from synthetic.truth import SceneFrame

_NEAR_M = 1.0  # an estimate belongs to the nearest person within this distance
_APART = 2  # images on both sides for differences of positions
_STEP_S = 0.55  # a person's step, over which the true velocity is averaged
_SETTLED_S = 1.0  # after a person was first seen, or set off


@dataclass(frozen=True)
class Row:
    """Errors of one kind of estimate in one scene.

    Attributes:
        source: source of people's distance.
        estimate: what was compared.
        position_m: median, 95th percentile and largest error of the position.
        velocity_m_s: the same of the horizontal velocity.
        ids: number of ids that the people had together.
        people: number of people.
        lag_s: how long after the person the estimated speed passed half of 1.2 m/s; NaN for people
            who stand.
        floor_m: median error of the camera's height above the floor; NaN where the floor is
            nowhere known.
        floor_s: time of the first image in which the floor is known; NaN likewise.
    """

    source: Source
    estimate: str
    position_m: tuple[float, float, float]
    velocity_m_s: tuple[float, float, float]
    ids: int
    people: int
    lag_s: float
    floor_m: float
    floor_s: float


@dataclass(frozen=True)
class EstimatedTrack:
    """One id's estimates over time: (t), (t, 3), (t, 3), and whose they are (t)."""

    times_s: Floats
    positions_m: Floats
    velocities_m_s: Floats
    owners: Integers


def true_pelvises(scene: RobotScene, time_s: float) -> Floats:
    """Return the pelvises (p, 3) of all people in the world."""
    places = []
    for motion in scene.motions:
        _, place = motion.at(time_s)
        rest = scene.body.J_regressor[0] @ (
            scene.body.v_template
            + scene.body.shapedirs @ scene.body.v_template.new_tensor(motion.betas)
        )
        places.append(place + rest.double().numpy())
    return np.stack(places)


def true_velocities(scene: RobotScene, time_s: float) -> Floats:
    """Return the velocities (p, 3) of the pelvises, averaged over a step."""
    half = _STEP_S / 2
    return (true_pelvises(scene, time_s + half) - true_pelvises(scene, time_s - half)) / _STEP_S


def compare(scene: RobotScene, kind: Kind, source: Source, answers: Sequence[Answer]) -> Row:
    """Return the errors of the node's people."""
    is_fixed = any(answer.fixed_frame for answer in answers)
    tracks = _tracks(scene, answers, is_fixed=is_fixed)
    places, speeds, lags = [], [], []
    for track in tracks:
        settled = track.times_s >= track.times_s[0] + _SETTLED_S
        if kind == "walking":
            settled &= track.times_s >= STARTS_S + _SETTLED_S
        for row in np.flatnonzero(settled & (track.owners >= 0)):
            time_s, owner = float(track.times_s[row]), track.owners[row]
            places.append(track.positions_m[row] - true_pelvises(scene, time_s)[owner])
            wrong = track.velocities_m_s[row] - true_velocities(scene, time_s)[owner]
            if np.isfinite(wrong).all():
                speeds.append(wrong[:2])
        if kind == "walking":
            lags.append(_lag_s(scene, track))
    return Row(
        source=source,
        estimate="with fixed_frame" if is_fixed else "without, differences of positions",
        position_m=_spread(np.linalg.norm(places, axis=1)),
        velocity_m_s=_spread(np.linalg.norm(speeds, axis=1)),
        ids=len(tracks),
        people=len(scene.motions),
        lag_s=float(np.nanmedian(lags)) if lags else float("nan"),
        **_floor(answers),
    )


def _floor(answers: Sequence[Answer]) -> dict[str, float]:
    """Return the fields of a row for the floor's errors; the camera is level."""
    known = [answer for answer in answers if np.isfinite(answer.floor).all()]
    if not known:
        return {"floor_m": float("nan"), "floor_s": float("nan")}
    errors_m = [abs(answer.floor[3] - BASE_FROM_CAMERA[2, 3]) for answer in known]
    return {"floor_m": float(np.median(errors_m)), "floor_s": known[0].time_s}


def shots_of(scene: RobotScene, rate_hz: float) -> list[SceneFrame]:
    """Render the scene's images with depth."""
    count = int(DURATION_S * rate_hz)
    return [scene.frame(round(index * NS_PER_S / rate_hz), depth=True) for index in range(count)]


def _tracks(
    scene: RobotScene, answers: Sequence[Answer], *, is_fixed: bool
) -> list[EstimatedTrack]:
    rows: dict[int, list[tuple[float, Floats, Floats, int]]] = {}
    for answer in answers:
        people, motion = answer.people, answer.people.motion
        if is_fixed and motion is None:
            continue
        places = motion.positions_m if is_fixed and motion else world_positions(answer)
        speeds = motion.velocities_m_s if is_fixed and motion else np.full_like(places, np.nan)
        truth = true_pelvises(scene, answer.time_s)
        for id_, place, speed in zip(people.ids.tolist(), places, speeds, strict=True):
            apart = np.linalg.norm(truth[:, :2] - place[:2], axis=1)
            owner = int(apart.argmin()) if apart.min() < _NEAR_M else -1
            rows.setdefault(id_, []).append((answer.time_s, place, speed, owner))
    made = []
    for each in rows.values():
        times, places, speeds, owners = (np.array(part) for part in zip(*each, strict=True))
        if not is_fixed:
            speeds = _differences(times, places)
        made.append(EstimatedTrack(times, places, speeds, owners))
    return made


def _differences(times_s: Floats, positions_m: Floats) -> Floats:
    """Return velocities (t, 3) by differences of positions; NaN at both ends."""
    speeds = np.full_like(positions_m, np.nan)
    if len(times_s) > 2 * _APART:
        way = positions_m[2 * _APART :] - positions_m[: -2 * _APART]
        took = times_s[2 * _APART :] - times_s[: -2 * _APART]
        speeds[_APART:-_APART] = way / took[:, None]
    return speeds


def _lag_s(scene: RobotScene, track: EstimatedTrack) -> float:
    estimated = np.linalg.norm(track.velocities_m_s[:, :2], axis=1)
    true = [
        float(np.linalg.norm(true_velocities(scene, time_s)[0, :2]))
        for time_s in track.times_s.tolist()
    ]
    half = WALKING_M_S / 2
    ours, theirs = (_crossing(track.times_s, values, half) for values in (estimated, true))
    return ours - theirs


def _crossing(times_s: Floats, values: Sequence[float] | Floats, level: float) -> float:
    """Return when values first pass a level upwards, interpolated; NaN if they do not."""
    numbers = np.nan_to_num(np.asarray(values))
    above = np.flatnonzero((numbers[1:] >= level) & (numbers[:-1] < level) & (times_s[1:] > 1.0))
    if not len(above):
        return float("nan")
    row = int(above[0])
    share = (level - numbers[row]) / (numbers[row + 1] - numbers[row])
    return float(times_s[row] + share * (times_s[row + 1] - times_s[row]))


def _spread(values: Floats) -> tuple[float, float, float]:
    low, high = np.percentile(values, (50, 95))
    return float(low), float(high), float(np.max(values))
