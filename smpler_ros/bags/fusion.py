"""Fuses the people seen by a bag's cameras, and writes them to files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from smpler_model.assembly import pipeline_config
from smpler_model.frames import FrameResult, People
from smpler_model.settings.world import FUSED
from smpler_model.views.fuser import FusedResult, ViewFuser
from smpler_model.views.posing import BodyJoints
from smpler_ros.bags.accuracy import Pairs
from smpler_ros.bags.camera_messages import find_namespaces
from smpler_ros.bags.engine import Engine
from smpler_ros.bags.fused_accuracy import FusedAccuracy, FusedPair, Joins
from smpler_ros.bags.fused_people import FusedMessages, error_rows, fused_rows, moment_of
from smpler_ros.bags.run_files import RunFiles
from smpler_ros.bags.run_statistics import RunStatistics
from smpler_ros.bags.settings import EvaluationSettings


class FusedMoment(NamedTuple):
    """The people of a moment, and their errors.

    Attributes:
        result: the people.
        pairs: errors against ground truth.
        joins: which sightings were joined; None without ground truth of two cameras.
    """

    result: FusedResult
    pairs: list[FusedPair]
    joins: Joins | None


class Fusion:
    """The fusion of all cameras of a bag.

    Attributes:
        fuser: fuses the results; its state belongs to the checkpoint.
        accuracy: compares them with ground truth; likewise.
        messages: the topics in the output bag.
    """

    def __init__(
        self,
        cameras: Sequence[str],
        labelled: Iterable[str],
        engine: Engine,
        config: EvaluationSettings,
        files: RunFiles,
        tally: RunStatistics,
    ) -> None:
        """Start without people.

        Args:
            cameras: image topics.
            labelled: those of cameras with ground truth.
            engine: network and body.
            config: settings of the run.
            files: output files.
            tally: totals to which moments are added.

        Raises:
            ValueError: a camera has the namespace of fused people.
        """
        if f"/{FUSED}" in find_namespaces(cameras).values():
            raise ValueError(
                f"no camera may be in /{FUSED} where views are fused, got {list(cameras)}; choose "
                "others with image_topic, as its topics would be those of fused people"
            )
        self._files, self._tally = files, tally
        self.fuser = ViewFuser(
            *(cameras, config.fusion_tolerance, BodyJoints(engine.body)),
            absence_s=pipeline_config(config).absence_s,
        )
        self.accuracy = FusedAccuracy(labelled, engine.body, config.match_iou)
        self.messages = FusedMessages(files.bag, config, engine)

    def label(self, camera: str, result: FrameResult, truth: People, pairs: Pairs) -> None:
        """Add the ground truth of a result, and which of its people match, before it is fused."""
        self.accuracy.cameras[camera].add(result, truth, pairs)

    def fuse(
        self, results: Mapping[str, FrameResult], *, final: bool = False
    ) -> list[FusedMoment]:
        """Add results by image topic, and return the moments for which no more images come."""
        return [
            FusedMoment(fused, *self.accuracy.compare(fused))
            for fused in self.fuser.fuse(results, final=final)
        ]

    def write(self, moments: Sequence[FusedMoment]) -> None:
        """Write moments to tables and bag."""
        tables = self._files.moments, self._files.fused, self._files.fused_errors
        for fused, pairs, joins in moments:
            record = moment_of(self._tally.moments, fused, joins)
            errors = error_rows(record.moment, pairs)
            for table, rows in zip(
                tables, ([record.row()], fused_rows(record.moment, fused), errors), strict=True
            ):
                assert table is not None
                table.write_rows(rows)
            self.messages.write(fused)
            self._tally.add_moment(record)
            self._tally.fused_ids |= set(fused.people.ids.tolist())
            for pair in pairs:
                self._tally.add_pair(pair)
