"""The people of several cameras over time: matched, fused, each with one id."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats, Integers
from smpler_model.cameras.messages import NS_PER_S
from smpler_model.frames import (
    CameraPose,
    FrameResult,
    People,
    TrackState,
    TranslationSource,
    WorldMotion,
)
from smpler_model.people.floor import footprints, mean_plane
from smpler_model.people.tracker import IdSource
from smpler_model.people.world_filter import facings
from smpler_model.views.fusion import FusedPeople, Pose, fuse_views
from smpler_model.views.identity import CommonIds
from smpler_model.views.memory import ViewMemory
from smpler_model.views.moments import MomentMatcher, Stamped
from smpler_model.views.sightings import Sightings, View, view_of

_STATES = (TrackState.CONFIRMED, TrackState.COASTING, TrackState.TENTATIVE)  # what counts first
_NEVER_NS = np.iinfo(np.int64).min

Arrays = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class FusedResult:
    """The people of one moment in all views.

    Attributes:
        stamp_ns: stamp of the last of the moment's images.
        frame_id: the fixed frame, in which everything is.
        people: the people. What belongs to an image is NaN: boxes, keypoints, weak cameras.
        pose: the identity.
        floor: (4) plane of the floor in the fixed frame, the mean of those that views know; None
            if none does.
        tracks: for each person, the ids of the tracks by the cameras that show them.
        stamps_ns: stamps of the moment's images by camera.
    """

    stamp_ns: int
    frame_id: str
    people: People
    pose: CameraPose
    floor: Floats | None
    tracks: tuple[Mapping[str, int], ...]
    stamps_ns: Mapping[str, int]


class ViewFuser:
    """Fuses the results of several cameras as soon as a moment's images are there.

    State: the results that wait for those of other cameras, the ids that tracks have in common,
    and what is remembered of them. It is reset when time runs backwards (a rewound bag) and by
    `reset`.

    Attributes:
        absence_s: longest time after which a track that no image showed may be there again,
            seconds, see `CommonIds.name`; it may be replaced at any time.
    """

    def __init__(
        self,
        cameras: Sequence[str],
        tolerance_s: float,
        pose: Pose,
        report: Callable[[str, str], object] = lambda camera, sentence: None,
        *,
        absence_s: float = 0.0,
        ids: IdSource | None = None,
    ) -> None:
        """Start without people.

        Args:
            cameras: names of all cameras.
            tolerance_s: largest difference between the stamps of a moment's images, s.
            pose: poses bodies, as `BodyJoints`.
            report: called with the name of a camera without which a moment is fused, and why.
            absence_s: the attribute.
            ids: where people's ids come from; they start at 0 if None.
        """
        self._pose, self._report = pose, report
        self.absence_s = absence_s
        self._tolerance_s = tolerance_s
        self._moments: MomentMatcher[View] = MomentMatcher(cameras, round(tolerance_s * NS_PER_S))
        self._ids, self._memory = CommonIds(ids), ViewMemory()
        self._faults: dict[str, str] = {}

    @property
    def camera_count(self) -> int:
        """Number of cameras."""
        return len(self._moments.pending)

    def reset(self) -> None:
        """Forget all results and tracks."""
        self._moments.reset()
        self._ids.reset()
        self._memory.reset()

    def fuse(
        self, results: Mapping[str, FrameResult], *, final: bool = False
    ) -> list[FusedResult]:
        """Add results, and return the moments that are over with them.

        Args:
            results: new results by camera. Tracks' ids are unique over all cameras, as those of
                one pipeline are.
            final: whether no more results come.
        """
        for name, result in results.items():
            self._moments.add(name, result.stamp_ns, self._view_of(name, result))
        return [self._fuse(moment) for moment in self._moments.take(final=final)]

    def _view_of(self, name: str, result: FrameResult) -> View | None:
        self._faults.pop(name, None)
        try:
            return view_of(result)
        except ValueError as error:
            self._faults[name] = str(error)
            return None

    def _fuse(self, moment: Mapping[str, Stamped[View]]) -> FusedResult:
        stamps_ns = {name: each.stamp_ns for name, each in moment.items()}
        self._report_missing(stamps_ns)
        views = [each.view for each in moment.values()]
        seen = [view.people for view in views]
        stamp_ns = max(stamps_ns.values())
        fused = fuse_views(seen, self._pose, self._memory.at(stamp_ns))
        tracks = tuple(
            {
                name: int(people.ids[row])
                for name, people, row in zip(moment, seen, rows, strict=True)
                if row >= 0
            }
            for rows in fused.rows.tolist()
        )
        ids = np.array(self._ids.name(stamp_ns, tracks, self.absence_s), np.int64)
        floors = [view.floor for view in views if view.floor is not None]
        floor = mean_plane(floors) if floors else None
        people = people_from(ids, seen, fused, floor)
        pose = CameraPose(views[0].frame_id, np.eye(4))
        return FusedResult(stamp_ns, pose.frame_id, people, pose, floor, tracks, stamps_ns)

    def _report_missing(self, there: Mapping[str, int]) -> None:
        for name in self._moments.pending.keys() - there.keys():
            fault = self._faults.get(name) or (
                f"a view must have an image within {self._tolerance_s:g} s of the others', got "
                "none; synchronise the cameras or raise fusion_tolerance"
            )
            self._report(name, f"people are fused without this camera: {fault}")

    def snapshot(self) -> Arrays:
        """Return the state as arrays, for `restore`."""
        arrays = self._ids.snapshot() | self._memory.snapshot()
        first_ns = self._moments.first_ns
        arrays["first_ns"] = np.array(_NEVER_NS if first_ns is None else first_ns)
        for index, queue in enumerate(self._moments.pending.values()):
            known = (queue.newest_ns, queue.missed_ns)
            arrays[f"{index}_pending"] = np.array(
                [_NEVER_NS if each is None else each for each in known], np.int64
            )
            for place, (stamp_ns, view) in enumerate(
                (each.stamp_ns, each.view) for each in queue.waiting
            ):
                key = f"{index}_{place}"
                arrays[f"{key}_view"] = np.array(stamp_ns, np.int64)
                if view.floor is not None:
                    arrays[f"{key}_floor"] = view.floor
                arrays[f"{key}_frame"] = np.array(view.frame_id)
                for each in fields(Sightings):
                    arrays[f"{key}_{each.name}"] = getattr(view.people, each.name)
        return arrays

    def restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Restore the state that `snapshot` returned, for the same cameras in the same order."""
        self.reset()
        self._ids.restore(arrays)
        self._memory.restore(arrays)
        self._moments.first_ns = _known(arrays["first_ns"])
        for index, queue in enumerate(self._moments.pending.values()):
            newest, missed = arrays[f"{index}_pending"]
            queue.newest_ns, queue.missed_ns = _known(newest), _known(missed)
            while (key := f"{index}_{len(queue.waiting)}") + "_view" in arrays:
                people = Sightings(
                    **{each.name: arrays[f"{key}_{each.name}"] for each in fields(Sightings)}  # type: ignore[arg-type]
                )
                floor = arrays.get(f"{key}_floor")
                view = View(
                    str(arrays[f"{key}_frame"]),
                    None if floor is None else floor.astype(np.float64),
                    people,
                )
                queue.waiting.append(Stamped(int(arrays[f"{key}_view"]), view))


def people_from(
    ids: Integers,
    views: Sequence[Sightings],
    fused: FusedPeople,
    floor: Floats | None,
) -> People:
    """Return fused people in the form of those of an image.

    A person who is in one view has the translation's source of that view. Scores are those of the
    best view, the state is the best that a view reports, and velocities are means weighted by the
    inverses of their covariances.

    Args:
        ids: (n) of the people.
        views: the sightings.
        fused: their bodies.
        floor: (4) plane of the floor in the fixed frame; None if unknown.
    """
    n, seen = len(ids), (fused.rows >= 0).T  # (v, n)
    columns = {
        name: _chosen([getattr(view, name) for view in views], fused.rows)
        for name in ("states", "scores", "sources", "foot_contacts")
    }
    alone = columns["sources"].max(0, where=seen, initial=0)
    ranks = np.select([columns["states"] == state for state in _STATES], range(len(_STATES)), 9)
    best = np.where(seen, ranks, len(_STATES) - 1).min(0)
    return People(
        ids=ids,
        states=np.array(_STATES, np.uint8)[best],
        scores=columns["scores"].max(0, where=seen, initial=0.0),
        boxes_xyxy=np.full((n, 4), np.nan),
        rotations=fused.rotations,
        betas=fused.betas,
        translations_m=fused.translations_m,
        covariances_m2=fused.covariances_m2,
        sources=np.where(seen.sum(0) > 1, TranslationSource.VIEWS, alone).astype(np.uint8),
        weak_cameras=np.full((n, 3), np.nan),
        joints_m=fused.joints_m,
        keypoints_px=np.full((*fused.joints_m.shape[:2], 2), np.nan),
        joint_confidences=fused.joint_confidences,
        foot_contacts=_mean_known(columns["foot_contacts"], seen),
        footprints_m=None if floor is None else footprints(floor, fused.joints_m[:, 0]),
        motion=_motion(views, fused),
    )


def _motion(views: Sequence[Sightings], fused: FusedPeople) -> WorldMotion:
    seen = (fused.rows >= 0).T
    velocities = _chosen([view.velocities_m_s for view in views], fused.rows)
    covariances = _chosen([view.velocity_covariances_m2_s2 for view in views], fused.rows)
    known = seen & np.isfinite(velocities).all(-1) & np.isfinite(covariances).all((-2, -1))
    covariances = np.where(known[..., None, None], covariances, np.eye(3))
    information = np.linalg.inv(covariances) * known[..., None, None]
    nobody = ~known.any(0)[:, None, None]
    joined = np.linalg.inv(information.sum(0) + nobody * np.eye(3))
    pulls = (information @ np.where(known[..., None], velocities, 0.0)[..., None]).sum(0)
    return WorldMotion(
        positions_m=fused.joints_m[:, 0],
        position_covariances_m2=fused.covariances_m2,
        velocities_m_s=np.where(nobody[..., 0], np.nan, (joined @ pulls)[..., 0]),
        velocity_covariances_m2_s2=np.where(nobody, np.nan, joined),
        facings_rad=facings(fused.rotations[:, 0]),
    )


def _chosen(columns: Sequence[NDArray[Any]], rows: NDArray[np.intp]) -> NDArray[Any]:
    """Return (v, n, ...) the values of each person in each view; any where not seen.

    Args:
        columns: for each view, a value of each of its people.
        rows: (n, v) rows of the people in the views; -1 where not seen.
    """
    filled = [
        np.concatenate([column, np.zeros_like(column, shape=(1, *column.shape[1:]))])
        for column in columns
    ]
    return np.stack([column[row] for column, row in zip(filled, rows.T, strict=True)])


def _mean_known(values: Floats, seen: NDArray[np.bool_]) -> Floats:
    """Return means (n, k) over the views of (v, n, k) values; NaN where no view has any."""
    known = seen[..., None] & np.isfinite(values)
    count = known.sum(0)
    means = np.where(known, values, 0.0).sum(0) / np.maximum(count, 1)
    return np.where(count > 0, means, np.nan)


def _known(value: NDArray[np.generic]) -> int | None:
    number = int(value)
    return None if number == _NEVER_NS else number
