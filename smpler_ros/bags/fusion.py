"""Fuses the people whom several cameras of a bag see, and writes them to files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from smpler_model.frames import FrameResult
from smpler_model.settings.world import FUSED
from smpler_model.views.fuser import FusedResult, ViewFuser
from smpler_ros.bags.camera_messages import find_namespaces
from smpler_ros.bags.engine import Engine
from smpler_ros.bags.fused_people import FusedMessages, fused_rows, moment_of
from smpler_ros.bags.run_files import RunFiles
from smpler_ros.bags.run_statistics import RunStatistics
from smpler_ros.bags.settings import EvaluationSettings


class Fusion:
    """The fusion of all cameras of a bag.

    Attributes:
        fuser: fuses the results; its state belongs to the checkpoint.
        messages: the topics in the output bag.
    """

    def __init__(
        self,
        cameras: Sequence[str],
        engine: Engine,
        config: EvaluationSettings,
        files: RunFiles,
        tally: RunStatistics,
    ) -> None:
        """Start without people.

        Args:
            cameras: image topics.
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
        self.fuser = ViewFuser(cameras, config.fusion_tolerance, engine.pose)
        self.messages = FusedMessages(files.bag, config, engine)

    def fuse(
        self, results: Mapping[str, FrameResult], *, final: bool = False
    ) -> list[FusedResult]:
        """Add results by image topic, and return the moments for which no more images come."""
        return self.fuser.fuse(results, final=final)

    def write(self, moments: Sequence[FusedResult]) -> None:
        """Write moments to tables and bag."""
        assert self._files.moments is not None
        assert self._files.fused is not None
        for fused in moments:
            record = moment_of(self._tally.moments, fused)
            self._files.moments.write_rows([record.row()])
            self._files.fused.write_rows(fused_rows(record.moment, fused))
            self.messages.write(fused)
            self._tally.add_moment(record)
            self._tally.fused_ids |= set(fused.people.ids.tolist())
