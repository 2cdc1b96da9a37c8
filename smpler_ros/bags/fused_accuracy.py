"""Errors of fused people against the ground truth of every camera that shows them.

Each view of a fused person that was matched with a labelled person gives a pair: the fused body
against the label, beside the view's own body against the same one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats, Integers
from smpler_model.body.smpl import Body
from smpler_model.cameras.messages import NS_PER_S
from smpler_model.frames import FrameResult, People, TranslationSource
from smpler_model.people.common_frame import SAME_PERSON_M, move_people, rows_of
from smpler_model.views.fuser import FusedResult
from smpler_ros.bags.accuracy import FIGURES, CameraAccuracy, Pairs
from smpler_ros.bags.run_state import Arrays

_KEPT_NS = 5 * NS_PER_S  # longer than a moment waits for an image


@dataclass(frozen=True)
class MatchedPeople:
    """The matched people of one image.

    Attributes:
        camera_from_fixed: (4, 4) metres.
        tracks: (k,) ids of the tracks that were matched.
        people: their k true people, in the optical frame.
        pelvises_m: (k, 3) of the true people, in the fixed frame.
        figures: (k,) values for each metric in `FIGURES`, of the view's own bodies.
        switched: (k,) whether the track of the true person changed.
    """

    camera_from_fixed: Floats
    tracks: Integers
    people: People
    pelvises_m: Floats
    figures: Mapping[str, Floats]
    switched: NDArray[np.bool_]


@dataclass(frozen=True)
class FusedPair:
    """A fused person and a label of it.

    Attributes:
        camera: image topic of the labelled image.
        stamp_ns: stamp of the image.
        id: id of the fused person.
        track: id of the camera's track of that person.
        true_id: id of the labelled person.
        switched: whether the labelled person had another fused id before.
        view_switched: whether it had another track before.
        figures: the fused body's values by metric, see `FIGURES`; NaN if not available.
        view_figures: those of the camera's own body.
    """

    camera: str
    stamp_ns: int
    id: int
    track: int
    true_id: int
    switched: bool
    view_switched: bool
    figures: Mapping[str, float]
    view_figures: Mapping[str, float]


@dataclass(frozen=True)
class Joins:
    """Which matched people of two cameras are one person, and which were fused.

    Attributes:
        same: pairs of labels of two cameras that are one person's.
        joined: how many of these were fused.
        wrong: pairs of labels that are two people's and were fused.
    """

    same: int
    joined: int
    wrong: int


class LabelledCamera:
    """The labelled images of one camera, and the errors of fused people against them.

    State: images that are in no moment yet, and that of `CameraAccuracy`.
    """

    def __init__(self, body: Body, min_iou: float) -> None:
        """Start without images; see `CameraAccuracy`."""
        self._accuracy = CameraAccuracy(body, min_iou)
        self._waiting: dict[int, MatchedPeople] = {}

    def add(self, result: FrameResult, truth: People, pairs: Pairs) -> None:
        """Add an image's matched people; those of images without a pose are in no moment."""
        stamp_ns = result.stamp_ns
        self._waiting = {
            each: labels
            for each, labels in self._waiting.items()
            if stamp_ns - _KEPT_NS <= each < stamp_ns  # later ones: the clock was set back
        }
        if result.pose is None:
            return
        pose = result.pose.fixed_from_camera
        pelvises = self._accuracy.pelvises(truth, pairs.true)
        self._waiting[stamp_ns] = MatchedPeople(
            camera_from_fixed=np.asarray(np.linalg.inv(pose), np.float64),
            tracks=result.people.ids[pairs.found],
            people=rows_of(truth, pairs.true),
            pelvises_m=pelvises @ pose[:3, :3].T + pose[:3, 3],
            figures=pairs.figures,
            switched=pairs.switched,
        )

    def take(self, stamp_ns: int) -> MatchedPeople | None:
        """Return the matched people of an image, and drop them and earlier ones."""
        labels = self._waiting.get(stamp_ns)
        self._waiting = {each: kept for each, kept in self._waiting.items() if each > stamp_ns}
        return labels

    def compare(
        self, stamp_ns: int, fused: People, labels: MatchedPeople, rows: Mapping[int, int]
    ) -> tuple[Pairs, list[int]]:
        """Compare fused people with labels.

        Args:
            stamp_ns: stamp of the image.
            fused: people in the fixed frame.
            labels: the image's labels.
            rows: row of the fused person of each track that belongs to one.

        Returns:
            The pairs, and the row of each in the labels.
        """
        chosen = [row for row, track in enumerate(labels.tracks.tolist()) if track in rows]
        found = np.array([rows[int(labels.tracks[row])] for row in chosen], np.intp)
        people = move_people(fused, labels.camera_from_fixed)
        true = np.array(chosen, np.intp)
        return self._accuracy.measure(stamp_ns, people, labels.people, found, true), chosen

    def snapshot(self) -> Arrays:
        """Return the state as arrays, for `restore`."""
        arrays = self._accuracy.snapshot()
        arrays["waiting_ns"] = np.array(list(self._waiting), np.int64)
        for number, labels in enumerate(self._waiting.values()):
            held = {
                "camera_from_fixed": labels.camera_from_fixed,
                "tracks": labels.tracks,
                "pelvises_m": labels.pelvises_m,
                "switched": labels.switched,
                **{f"figure_{name}": values for name, values in labels.figures.items()},
                **{f"people_{name}": values for name, values in _arrays_of(labels.people).items()},
            }
            arrays |= {f"waiting_{number}_{name}": values for name, values in held.items()}
        return arrays

    def restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Restore the state that `snapshot` returned."""
        self._accuracy.restore(arrays)
        self._waiting = {}
        for number, stamp_ns in enumerate(arrays["waiting_ns"].tolist()):
            held = _starting(arrays, f"waiting_{number}_")
            self._waiting[int(stamp_ns)] = MatchedPeople(
                held["camera_from_fixed"].astype(np.float64),
                held["tracks"].astype(np.int64),
                People(**_starting(held, "people_")),
                held["pelvises_m"].astype(np.float64),
                _starting(held, "figure_"),
                held["switched"].astype(np.bool_),
            )


class FusedAccuracy:
    """Compares fused people with the ground truth of all cameras that have one.

    Attributes:
        cameras: the labelled cameras by image topic; their states belong to the checkpoint.
    """

    def __init__(self, cameras: Iterable[str], body: Body, min_iou: float) -> None:
        """Start without images.

        Args:
            cameras: image topics of the labelled cameras.
            body: body model, with a 17-joint regressor.
            min_iou: least overlap of the boxes of a pair.
        """
        self.cameras = {name: LabelledCamera(body, min_iou) for name in cameras}

    def compare(self, fused: FusedResult) -> tuple[list[FusedPair], Joins | None]:
        """Return the pairs of people seen by several cameras, and which of them were joined.

        The latter is None unless two of the moment's images are labelled.
        """
        labels = {
            name: found
            for name, stamp_ns in fused.stamps_ns.items()
            if name in self.cameras and (found := self.cameras[name].take(stamp_ns)) is not None
        }
        together = fused.people.sources == TranslationSource.VIEWS
        pairs: list[FusedPair] = []
        for name, found in labels.items():
            rows = {
                track: row for track, row in _rows_of_tracks(fused, name).items() if together[row]
            }
            stamp_ns = fused.stamps_ns[name]
            measured, chosen = self.cameras[name].compare(stamp_ns, fused.people, found, rows)
            pairs += _pairs(name, stamp_ns, fused.people.ids, measured, found, chosen)
        return pairs, _joins(fused, labels) if len(labels) > 1 else None


def _pairs(
    camera: str,
    stamp_ns: int,
    ids: Integers,
    measured: Pairs,
    labels: MatchedPeople,
    chosen: list[int],
) -> list[FusedPair]:
    return [
        FusedPair(
            camera,
            stamp_ns,
            int(ids[measured.found[k]]),
            int(labels.tracks[row]),
            int(measured.true_ids[k]),
            bool(measured.switched[k]),
            bool(labels.switched[row]),
            {name: float(values[k]) for name, values in measured.figures.items()},
            {name: float(labels.figures[name][row]) for name in FIGURES},
        )
        for k, row in enumerate(chosen)
    ]


def _rows_of_tracks(fused: FusedResult, camera: str) -> dict[int, int]:
    return {tracks[camera]: row for row, tracks in enumerate(fused.tracks) if camera in tracks}


def _joins(fused: FusedResult, labels: Mapping[str, MatchedPeople]) -> Joins:
    views = np.repeat(np.arange(len(labels)), [len(each.tracks) for each in labels.values()])
    groups = np.array(
        [
            _rows_of_tracks(fused, name)[track]
            for name, each in labels.items()
            for track in each.tracks.tolist()
        ]
    )
    pelvises = np.concatenate([each.pelvises_m for each in labels.values()])
    apart = np.linalg.norm(pelvises[:, None] - pelvises, axis=-1)
    two_views = views[:, None] < views
    same = two_views & (apart <= SAME_PERSON_M)
    joined = two_views & (groups[:, None] == groups)
    return Joins(int(same.sum()), int((same & joined).sum()), int((joined & ~same).sum()))


def _arrays_of(people: People) -> dict[str, NDArray[np.generic]]:
    return {
        each.name: values
        for each in fields(People)
        if isinstance(values := getattr(people, each.name), np.ndarray)
    }


def _starting(arrays: Mapping[str, NDArray[np.generic]], start: str) -> dict[str, Any]:
    return {
        name.removeprefix(start): values
        for name, values in arrays.items()
        if name.startswith(start)
    }
