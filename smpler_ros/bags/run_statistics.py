"""Totals over a run: speed, tracks, errors."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from smpler_ros.bags.accuracy import EVALUATED_NAMES, FIGURES
from smpler_ros.bags.fused_accuracy import FusedPair, Joins
from smpler_ros.bags.fused_people import MomentRecord
from smpler_ros.bags.records import FrameRecord, PersonRecord

_PERCENTILES = (50, 90, 99)
_LISTED_FAULTS = 50  # distinct messages that are listed; the rest are counted
_OTHERS = "others"


@dataclass
class TrackSpan:
    """A track: its first and last frame within the camera, and its number of frames."""

    camera: str
    first_frame: int
    last_frame: int
    first_ns: int
    last_ns: int
    frames: int = 0


def _zeros() -> dict[str, list[float]]:
    """Return the sum and the count of each metric, over nothing."""
    return {name: [0.0, 0] for name in FIGURES}


@dataclass
class ErrorSums:
    """Sums of metrics over pairs, and counts of people.

    Attributes:
        figures: sum and count by metric.
        joints_mm: sums of the 14 joints' distances.
        pairs: number of matched pairs.
        true_people: number of labelled people in all labelled images.
        missed: labelled people who were not found.
        hidden: labelled people who are not visible, see `visible_rows`.
        hidden_missed: how many of those were not found.
        false: false positives; unknown for single people.
        switches: number of id switches.
    """

    figures: dict[str, list[float]] = field(default_factory=_zeros)
    joints_mm: list[float] = field(default_factory=lambda: [0.0] * len(EVALUATED_NAMES))
    pairs: int = 0
    true_people: int = 0
    missed: int = 0
    hidden: int = 0
    hidden_missed: int = 0
    false: int = 0
    switches: int = 0

    def add(self, person: PersonRecord) -> None:
        """Add a pair."""
        self.pairs += 1
        _add(self.figures, person.figures or {})
        self.joints_mm = [
            total + value for total, value in zip(self.joints_mm, person.joints_mm, strict=True)
        ]

    def summary(self) -> dict[str, Any]:
        """Return means and counts for JSON; None for means over nothing."""
        joints = {
            name: total / self.pairs if self.pairs else None
            for name, total in zip(EVALUATED_NAMES, self.joints_mm, strict=True)
        }
        counts = {
            "pairs": self.pairs,
            "acceleration_pairs": int(self.figures["acceleration_mm_s2"][1]),
            "true_people": self.true_people,
            "missed": self.missed,
            "visible_people": self.true_people - self.hidden,
            "visible_missed": self.missed - self.hidden_missed,
            "false": self.false,
            "identity_switches": self.switches,
        }
        return _means(self.figures) | counts | {"joints_mm": joints}


@dataclass
class FusedSums:
    """Sums of the metrics of fused people, and of the single views of the same people.

    Attributes:
        fused: sum and count by metric.
        views: the same of the views.
        pairs: number of pairs of a fused person and a label.
        switches: number of id switches of fused people.
        view_switches: number of id switches of the views' tracks.
    """

    fused: dict[str, list[float]] = field(default_factory=_zeros)
    views: dict[str, list[float]] = field(default_factory=_zeros)
    pairs: int = 0
    switches: int = 0
    view_switches: int = 0

    def add(self, pair: FusedPair) -> None:
        """Add a pair."""
        self.pairs += 1
        self.switches += pair.switched
        self.view_switches += pair.view_switched
        _add(self.fused, pair.figures)
        _add(self.views, pair.view_figures)

    def summary(self) -> dict[str, Any]:
        """Return means and counts for JSON; None for means over nothing."""
        return {
            "pairs": self.pairs,
            "fused": _means(self.fused) | {"identity_switches": self.switches},
            "views": _means(self.views) | {"identity_switches": self.view_switches},
        }


class RunStatistics:
    """Accumulates the tables' content frame by frame; grows by a few bytes per frame.

    Attributes:
        frames: frames by camera.
        tracks: tracks by id.
        latencies_ms: durations of the steps; one entry per batch.
        errors: errors over all cameras, by `(camera,)`, and by `(camera, true id)`.
        error_series: errors over time by camera: timestamps, MPJPE and PA-MPJPE of all pairs.
        left_out: number of unused messages, by topic and reason.
        people_left_out: number of detected people without a result, by topic and reason.
        without_pose: number of images without the camera's pose, by topic and reason.
        notes: pairs of topic and warning about its images.
        moments: number of moments at which people of several cameras were fused.
        fused_people: people at all moments.
        fused_ids: their ids.
        views: number of moments by camera that had an image of it.
        fused_errors: errors of fused people over all cameras, and by `(camera,)`.
        joins: sums of the moments' joins; None without ground truth of two cameras.
    """

    def __init__(self) -> None:
        self.frames: Counter[str] = Counter()
        self.labelled: Counter[str] = Counter()
        self.tracks: dict[int, TrackSpan] = {}
        self.latencies_ms: dict[str, array[float]] = {}
        self.errors: dict[tuple[str | int, ...], ErrorSums] = {}
        self.error_series: dict[str, tuple[array[int], array[float], array[float]]] = {}
        self.first_ns: dict[str, int] = {}
        self.last_ns: dict[str, int] = {}
        self.left_out: Counter[tuple[str, str]] = Counter()
        self.people_left_out: Counter[tuple[str, str]] = Counter()
        self.without_pose: Counter[tuple[str, str]] = Counter()
        self.notes: list[tuple[str, str]] = []
        self.moments = self.fused_people = 0
        self.fused_ids: set[int] = set()
        self.views: Counter[str] = Counter()
        self.fused_errors: dict[tuple[str, ...], FusedSums] = {}
        self.joins: Joins | None = None

    def add_frame(self, frame: FrameRecord) -> None:
        """Add a frame; its people are added with `add_person`."""
        camera = frame.camera
        self.frames[camera] += 1
        self.first_ns.setdefault(camera, frame.stamp_ns)
        self.last_ns[camera] = frame.stamp_ns
        if frame.true_people is None:
            return
        self.labelled[camera] += 1
        for key in ((), (camera,)):
            sums = self.errors.setdefault(key, ErrorSums())
            sums.true_people += frame.true_people
            sums.missed += len(frame.missed_ids)
            sums.hidden += len(frame.hidden_ids)
            sums.hidden_missed += len({*frame.missed_ids} & {*frame.hidden_ids})
            sums.false += frame.false_people
            sums.switches += frame.switches
        for true_id in frame.missed_ids:
            sums = self.errors.setdefault((camera, true_id), ErrorSums())
            sums.true_people += 1
            sums.missed += 1
            sums.hidden_missed += true_id in frame.hidden_ids
        for true_id in frame.hidden_ids:
            self.errors.setdefault((camera, true_id), ErrorSums()).hidden += 1

    def add_person(self, person: PersonRecord) -> None:
        """Add a person."""
        camera = person.camera
        fresh = TrackSpan(camera, person.frame, person.frame, person.stamp_ns, person.stamp_ns)
        track = self.tracks.setdefault(person.id, fresh)
        track.last_frame, track.last_ns = person.frame, person.stamp_ns
        track.frames += 1
        if person.true_id is None or person.figures is None:
            return
        for key in ((), (camera,), (camera, person.true_id)):
            self.errors.setdefault(key, ErrorSums()).add(person)
        own = self.errors[camera, person.true_id]
        own.true_people += 1
        own.switches += person.switched
        error_series = self.error_series.setdefault(camera, (array("q"), array("d"), array("d")))
        figures = person.figures
        values = (person.stamp_ns, figures["mpjpe_mm"], figures["pa_mpjpe_mm"])
        error_series[0].append(values[0])
        error_series[1].append(values[1])
        error_series[2].append(values[2])

    def add_moment(self, moment: MomentRecord) -> None:
        """Add a moment; its people's ids are added to `fused_ids`."""
        self.moments += 1
        self.fused_people += moment.people
        self.views.update(moment.views)
        if moment.joins is not None:
            last = self.joins or Joins(0, 0, 0)
            self.joins = Joins(
                last.same + moment.joins.same,
                last.joined + moment.joins.joined,
                last.wrong + moment.joins.wrong,
            )

    def add_pair(self, pair: FusedPair) -> None:
        """Add the errors of a fused person against a label."""
        for key in ((), (pair.camera,)):
            self.fused_errors.setdefault(key, FusedSums()).add(pair)

    def add_timings(self, timings_ms: dict[str, float]) -> None:
        """Add the step durations of a batch, milliseconds."""
        for step, milliseconds in timings_ms.items():
            self.latencies_ms.setdefault(step, array("d")).append(milliseconds)

    def leave_out(self, topic: str, sentence: str) -> None:
        """Count an unused message."""
        _count(self.left_out, topic, sentence)

    def leave_out_person(self, topic: str, sentence: str) -> None:
        """Count a detected person without a result."""
        _count(self.people_left_out, topic, sentence)

    def miss_pose(self, topic: str, sentence: str) -> None:
        """Count an image whose camera's pose in the fixed frame is unknown."""
        _count(self.without_pose, topic, sentence)

    def note(self, topic: str, sentence: str) -> None:
        """Add a warning about a camera's images or the bag."""
        self.notes.append((topic, sentence))

    def latencies(self) -> dict[str, dict[str, float]]:
        """Return mean and percentiles of each step, and of the sum of all, milliseconds."""
        steps = {step: np.asarray(values) for step, values in self.latencies_ms.items()}
        if steps:
            count = max(map(len, steps.values()))
            # Steps that some batches lack are padded with zeros.
            whole = [np.pad(values, (0, count - len(values))) for values in steps.values()]
            steps["together"] = np.sum(whole, axis=0)
        return {
            step: {"mean": float(values.mean())}
            | {f"p{p}": float(np.percentile(values, p)) for p in _PERCENTILES}
            for step, values in steps.items()
        }


def _add(sums: Mapping[str, list[float]], figures: Mapping[str, float]) -> None:
    for name, value in figures.items():
        if math.isfinite(value):
            sums[name][0] += value
            sums[name][1] += 1


def _means(sums: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    return {name: total / count if count else None for name, (total, count) in sums.items()}


def _count(faults: Counter[tuple[str, str]], topic: str, sentence: str) -> None:
    key = (topic, sentence)
    if key not in faults and len(faults) >= _LISTED_FAULTS:
        key = (topic, _OTHERS)
    faults[key] += 1
