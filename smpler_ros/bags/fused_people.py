"""Fused people of a bag with several cameras: rows of tables, and topics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from smpler_model.bags.camera_poses import MOVING
from smpler_model.frames import TrackState
from smpler_model.settings.world import FUSED
from smpler_model.views.fuser import FusedResult
from smpler_ros.bags.accuracy import FIGURES
from smpler_ros.bags.engine import Engine
from smpler_ros.bags.fused_accuracy import FusedPair, Joins
from smpler_ros.bags.records import BODY_COLUMNS, body_rows, number_of, text_of
from smpler_ros.bags.segments import SegmentedBag
from smpler_ros.bags.settings import EvaluationSettings
from smpler_ros.messages.convert import (
    frame_prefix,
    header_message,
    person_array_message,
    person_transforms,
)
from smpler_ros.messages.markers import MeshMarkers, SkeletonMarkers
from smpler_ros.messages.message_types import MESSAGE_NAMES

MOMENT_COLUMNS = ("moment", "stamp_ns", "people", "views", "same_people", "joined", "wrong_joins")
"""Columns of `fused_moments.csv`; `views` are the image topics of the moment's images. The last
three need ground truth of two cameras: pairs of sightings of one person, how many of those were
fused, and fused pairs of two people.
"""

ERROR_COLUMNS = (
    *("moment", "camera", "stamp_ns", "id", "track", "true_id", "switched", "view_switched"),
    *FIGURES,
    *(f"view_{name}" for name in FIGURES),
)
"""Columns of `fused_errors.csv`: errors of a fused person against the ground truth of one of the
cameras; `view_` marks the errors of that camera's own estimate.
"""

FUSED_COLUMNS = ("moment", "stamp_ns", "id", "state", "score", "tracks", *BODY_COLUMNS)
"""Columns of `fused_people.csv`: SMPL in the fixed frame; `tracks` are the people of `people.csv`
that were fused, as image topics and ids.
"""


@dataclass(frozen=True)
class MomentRecord:
    """A moment.

    Attributes:
        moment: its number, from 0.
        stamp_ns: stamp of its last image.
        people: number of people.
        views: image topics of its images.
        joins: which sightings were joined; None without ground truth of two of them.
    """

    moment: int
    stamp_ns: int
    people: int
    views: tuple[str, ...]
    joins: Joins | None = None

    def row(self) -> list[object]:
        """Return the values of `MOMENT_COLUMNS`."""
        joins = self.joins
        counts = ("", "", "") if joins is None else (joins.same, joins.joined, joins.wrong)
        return [self.moment, self.stamp_ns, self.people, " ".join(self.views), *counts]


def moment_of(number: int, fused: FusedResult, joins: Joins | None) -> MomentRecord:
    """Return the record of a moment."""
    views = tuple(fused.stamps_ns)
    return MomentRecord(number, fused.stamp_ns, len(fused.people), views, joins)


def parse_moment(row: Mapping[str, str]) -> MomentRecord:
    """Return the moment of a row of `fused_moments.csv`."""
    moment, stamp_ns, people = (int(row[name]) for name in ("moment", "stamp_ns", "people"))
    joins = None
    if row["same_people"]:
        joins = Joins(*(int(row[name]) for name in ("same_people", "joined", "wrong_joins")))
    return MomentRecord(moment, stamp_ns, people, tuple(row["views"].split()), joins)


def error_rows(number: int, pairs: Sequence[FusedPair]) -> list[list[object]]:
    """Return the values of `ERROR_COLUMNS` for the pairs of a moment."""
    return [
        [
            *(number, pair.camera, pair.stamp_ns, pair.id, pair.track, pair.true_id),
            *(int(pair.switched), int(pair.view_switched)),
            *(text_of(pair.figures[name]) for name in FIGURES),
            *(text_of(pair.view_figures[name]) for name in FIGURES),
        ]
        for pair in pairs
    ]


def parse_pair(row: Mapping[str, str]) -> FusedPair:
    """Return the pair of a row of `fused_errors.csv`."""
    stamp_ns, id_, track, true_id = (
        int(row[name]) for name in ("stamp_ns", "id", "track", "true_id")
    )
    return FusedPair(
        *(row["camera"], stamp_ns, id_, track, true_id),
        switched=row["switched"] == "1",
        view_switched=row["view_switched"] == "1",
        figures={name: number_of(row[name]) for name in FIGURES},
        view_figures={name: number_of(row[f"view_{name}"]) for name in FIGURES},
    )


def fused_rows(number: int, fused: FusedResult) -> list[list[object]]:
    """Return the values of `FUSED_COLUMNS` for all people in a moment."""
    people = fused.people
    return [
        [
            *(number, fused.stamp_ns, int(people.ids[row])),
            TrackState(int(people.states[row])).name.lower(),
            text_of(people.scores[row]),
            " ".join(f"{name}={id_}" for name, id_ in fused.tracks[row].items()),
            *body,
        ]
        for row, body in enumerate(body_rows(people))
    ]


class FusedMessages:
    """The topics of fused people in the output bag. State: the displayed markers."""

    def __init__(self, bag: SegmentedBag, config: EvaluationSettings, engine: Engine) -> None:
        """Create the topics' constructors.

        Args:
            bag: the output bag.
            config: settings of the evaluation.
            engine: network and body.
        """
        self._bag, self._config, self._engine = bag, config, engine
        self._skeletons = SkeletonMarkers(bag.types, lifetime_s=config.marker_lifetime)
        self._meshes = MeshMarkers(
            bag.types,
            engine.body.faces.cpu().numpy(),
            lifetime_s=config.marker_lifetime,
            alpha=config.mesh_opacity,
        )

    @property
    def shown(self) -> list[int]:
        """Ids of the people whose markers are displayed; set them to resume a run."""
        return sorted(self._skeletons.shown | self._meshes.shown)

    @shown.setter
    def shown(self, ids: list[int]) -> None:
        self._skeletons.shown, self._meshes.shown = set(ids), set(ids)

    def write(self, fused: FusedResult) -> None:
        """Write the messages of a moment."""
        types, wanted, stamp_ns = self._bag.types, self._config.outputs, fused.stamp_ns
        header = header_message(types, stamp_ns, fused.frame_id)
        if "people" in wanted:
            message = person_array_message(
                types, header, self._engine.model, fused, vertices=False
            )
            self._bag.write(f"/{FUSED}/people", MESSAGE_NAMES["person_array"], stamp_ns, message)
        if "tf" in wanted and len(fused.people):
            prefix = f"{frame_prefix(self._config.tf_prefix)}{FUSED}/"
            transforms = person_transforms(
                types, header, fused, prefix, self._config.tf_confidence
            )
            self._bag.write(MOVING, MESSAGE_NAMES["tf_message"], stamp_ns, transforms)
        if "mesh_markers" in wanted:
            markers = self._meshes.serialize(header, self._engine.add_mesh(fused.people))
            topic = f"/{FUSED}/mesh_markers"
            self._bag.write(topic, MESSAGE_NAMES["marker_array"], stamp_ns, markers)
        if "skeleton_markers" in wanted:
            markers = self._skeletons.serialize(header, fused.people)
            topic = f"/{FUSED}/skeleton_markers"
            self._bag.write(topic, MESSAGE_NAMES["marker_array"], stamp_ns, markers)
