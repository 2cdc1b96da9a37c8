"""Tracks people from image to image with ByteTrack; ids are never reused."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import cast

import numpy as np
from numpy.typing import NDArray
from supervision import Detections as Boxes
from trackers import ByteTrackTracker

from smpler_model.array_types import Floats, Integers
from smpler_model.detectors.detector import Detections
from smpler_model.frames import TrackState
from smpler_model.people.association import HeightOverlap, PersonBox
from smpler_model.people.usual_step import UsualStep

_NOBODY = -1  # the library's id of a box without a confirmed track
_LIBRARY_RATE_HZ = 30.0
_FIRST_EARLY_ID = 2**40  # the library's own ids stay below
_LEAST_LOST_STEPS = 1.5  # the library drops tracks before it looks for them in the next image


@dataclass(frozen=True)
class TrackerConfig:
    """When a track is confirmed and when it is dropped.

    Attributes:
        confirm_frames: number of successive images with detections that confirm a track.
        confirm_score: a track that begins with a higher score is confirmed at once.
        lost_s: a track unseen for this long is dropped, seconds, but not within 1.5 usual steps
            between images.
        start_score: minimum score that starts a track.
        sure_score: boxes with lower scores are matched only to the tracks that remain unmatched.
        min_iou: minimum intersection over union of a box with the predicted one.
    """

    confirm_frames: int = 2
    confirm_score: float = math.inf
    lost_s: float = 1.4
    start_score: float = 0.5
    sure_score: float = 0.5
    min_iou: float = 0.1


@dataclass(frozen=True)
class Tracks:
    """n people who are tracked in one image.

    Attributes:
        ids: (n) int64 track ids, unique over all cameras and never reused.
        boxes_xyxy: (n, 4) pixels, as detected; predicted for coasting tracks.
        scores: (n) of the detections; 0 for coasting tracks.
        states: (n) `frames.TrackState`.
    """

    ids: Integers
    boxes_xyxy: Floats
    scores: Floats
    states: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, rows: NDArray[np.bool_]) -> "Tracks":
        """Return the tracks that an (n) mask selects."""
        return Tracks(self.ids[rows], self.boxes_xyxy[rows], self.scores[rows], self.states[rows])


class IdSource:
    """Numbers from 0 on, each given once: one source serves all cameras of a node.

    Attributes:
        next_id: the number that is given next.
    """

    def __init__(self, next_id: int = 0) -> None:
        self.next_id = next_id

    def take(self) -> int:
        """Return the next number."""
        self.next_id += 1
        return self.next_id - 1


class Tracker:
    """The tracks of one camera.

    State: the tracks. It is reset when time runs backwards (a rewound bag) and by `reset`; ids
    continue.
    """

    def __init__(self, ids: IdSource, config: TrackerConfig | None = None) -> None:
        self._config = config or TrackerConfig()
        self._source = ids
        self.reset()

    def reset(self) -> None:
        """Forget all tracks."""
        config = self._config
        self._library = ByteTrackTracker(
            frame_rate=_LIBRARY_RATE_HZ,
            track_activation_threshold=config.start_score,
            minimum_consecutive_frames=config.confirm_frames,
            minimum_iou_threshold=config.min_iou,
            high_conf_det_threshold=config.sure_score,
            state_estimator_class=PersonBox,
            iou=HeightOverlap(config.min_iou),
        )
        self._ids: dict[int, int] = {}
        self._early_ids = count(_FIRST_EARLY_ID)
        self._last_ns: int | None = None
        self._step = UsualStep()
        self._clock_s = 0.0

    def update(self, stamp_ns: int, detections: Detections) -> Tracks:
        """Update the tracks with the detections of the next image, even if there are none.

        Args:
            stamp_ns: timestamp of the image; an image with the previous timestamp changes nothing.
            detections: detections of the image.

        Returns:
            Confirmed people: visible tracks, then coasting ones.
        """
        if self._last_ns is not None and stamp_ns < self._last_ns:
            self.reset()
        if stamp_ns == self._last_ns:
            return self._people(Boxes.empty(), np.empty(0, np.int64))
        self._advance_clock(stamp_ns)
        boxes = Boxes(
            xyxy=detections.boxes_xyxy,
            confidence=detections.scores,
            class_id=np.zeros(len(detections), np.int64),
        )
        seen = self._library.update(boxes, timestamp=self._clock_s)
        seen_ids = np.asarray(seen.tracker_id, np.int64)
        seen_ids = self._confirm_at_once(seen, seen_ids)
        confirmed = seen_ids != _NOBODY
        return self._people(cast(Boxes, seen[confirmed]), seen_ids[confirmed])

    def move(self, boxes_after: Callable[[Floats], Floats]) -> None:
        """Move all tracks, as the camera has turned since the last image; velocities stay.

        Args:
            boxes_after: returns boxes (n, 4) of the last image as they are in the next.
        """
        tracks = self._library.tracks
        if not tracks:
            return
        boxes = np.array([track.get_state_bbox() for track in tracks])
        for track, box in zip(tracks, boxes_after(boxes), strict=True):
            estimator = track.state_estimator
            place = estimator.bbox_to_measurement(box)
            estimator.kf.state[: len(place)] = place[:, None]

    def _advance_clock(self, stamp_ns: int) -> None:
        """Count time in usual steps between images, the unit of the library's filters.

        Their noise is tuned per image. At other rates than the library's own, predictions would
        otherwise be too far from, or too close to, the last position.
        """
        self._step.add(stamp_ns)
        if self._last_ns is not None:
            step_ns = self._step.median_ns
            self._clock_s += (stamp_ns - self._last_ns) / step_ns / _LIBRARY_RATE_HZ
            lost_steps = max(self._config.lost_s * 1e9 / step_ns, _LEAST_LOST_STEPS)
            self._library.maximum_time_without_update = lost_steps / _LIBRARY_RATE_HZ
        self._last_ns = stamp_ns

    def _confirm_at_once(self, seen: Boxes, seen_ids: Integers) -> Integers:
        """Assign ids to tracks that begin with this image and need not wait for the next one."""
        begun = [
            track
            for track in self._library.tracks
            if track.tracker_id == _NOBODY and track.number_of_successful_consecutive_updates == 1
        ]
        scores = np.asarray(seen.confidence if len(seen) else [], np.float64)
        may_begin = scores >= max(self._config.start_score, self._config.sure_score)
        # The library lists the boxes that begin tracks last, in the tracks' order.
        rows = np.flatnonzero((seen_ids == _NOBODY) & may_begin)[-len(begun) :] if begun else ()
        confirmed = seen_ids.copy()
        for track, row in zip(begun, rows, strict=True):
            if self._config.confirm_frames == 1 or scores[row] > self._config.confirm_score:
                track.tracker_id = confirmed[row] = next(self._early_ids)
        return confirmed

    def _people(self, seen: Boxes, seen_ids: Integers) -> Tracks:
        alive = self._library.tracked_objects
        alive_ids = np.asarray(alive.tracker_id, np.int64)
        coasting = ~np.isin(alive_ids, seen_ids)
        library_ids = np.concatenate([seen_ids, alive_ids[coasting]]).tolist()
        known = set(library_ids)
        self._ids = {theirs: ours for theirs, ours in self._ids.items() if theirs in known}
        for theirs in library_ids:
            if theirs not in self._ids:
                self._ids[theirs] = self._source.take()
        scores = np.asarray(seen.confidence if len(seen) else [], np.float64)
        lost = int(coasting.sum())
        states = [TrackState.CONFIRMED] * len(seen_ids) + [TrackState.COASTING] * lost
        boxes = np.concatenate([seen.xyxy, alive.xyxy[coasting]])
        return Tracks(
            ids=np.array([self._ids[theirs] for theirs in library_ids], np.int64),
            boxes_xyxy=np.asarray(boxes, np.float64).reshape(-1, 4),
            scores=np.concatenate([scores, np.zeros(lost)]),
            states=np.array(states, np.uint8),
        )
