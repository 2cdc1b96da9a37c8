"""One bag: runs every image through the pipeline and writes the results to files.

The files grow together and are consistent at each checkpoint. A resumed run reads the input from
its start: processed images are skipped while trackers replay the logged detections, so that the
results after the checkpoint are those of an uninterrupted run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import replace
from itertools import islice

import numpy as np

from smpler_model.bags.camera_poses import BagPoses
from smpler_model.bags.reader import SourceError
from smpler_model.detectors.detector import GivenBoxes, detections_from
from smpler_model.frames import Frame, FrameResult, People
from smpler_model.inference.device_memory import DeviceMemoryError
from smpler_model.pipeline import sum_timings
from smpler_model.step_times import measure
from smpler_ros.bags.accuracy import CameraAccuracy, Pairs
from smpler_ros.bags.camera_messages import CameraMessages, find_namespaces
from smpler_ros.bags.engine import Engine, RecordingDetector
from smpler_ros.bags.fusion import FusedMoment, Fusion
from smpler_ros.bags.ground_truth import usable_rows
from smpler_ros.bags.inputs import Input
from smpler_ros.bags.records import FrameRecord, person_rows, with_truth
from smpler_ros.bags.run_files import STATE, LogEntry, RunFiles
from smpler_ros.bags.run_state import Arrays, RunState
from smpler_ros.bags.run_statistics import RunStatistics
from smpler_ros.bags.settings import EvaluationSettings
from smpler_ros.bags.transforms import TransformCopy

_FUSED, _FUSED_ERRORS = "fused people", "fused errors"  # no names of topics

Frames = Iterator[tuple[str, Frame]]
CameraFrames = dict[str, Frame]


class Evaluation:
    """A run over one bag. State: the checkpoint, the tally and the pipeline's state.

    Attributes:
        tally: totals, including those of the resumed run.
        damage: why the input ended early, as a sentence; None if it did not.
        checkpoint: the last one.
    """

    def __init__(
        self,
        source: Input,
        engine: Engine,
        config: EvaluationSettings,
        files: RunFiles,
        checkpoint: RunState,
    ) -> None:
        """Open the outputs and restore the state at the checkpoint.

        Args:
            source: the bag.
            engine: network and detector.
            config: settings of the run.
            files: output files, in their state at the checkpoint.
            checkpoint: checkpoint to resume from.

        Raises:
            ValueError: the body has no regressor for the metrics.
        """
        self._source, self._config, self._files = source, config, files
        self._pipeline = engine.create_pipeline()
        self._names = [camera.image for camera in source.cameras]
        faces = engine.body.faces.cpu().numpy()
        namespaces = find_namespaces(self._names)
        self._topics = {
            name: CameraMessages(name, namespaces[name], files.bag, config, engine.model, faces)
            for name in self._names
        }
        self._accuracy = {
            name: CameraAccuracy(engine.body, config.match_iou) for name in source.truths
        }
        self.tally, self.damage, self.checkpoint = (
            RunStatistics(),
            source.reader.damage,
            checkpoint,
        )
        self._transforms = TransformCopy(
            source.reader, checkpoint.transforms, static=not checkpoint.information
        )
        self._fusion: Fusion | None = None
        if config.fusion_tolerance:
            self._fusion = Fusion(self._names, source.truths, engine, config, files, self.tally)
        self._start = self._saved = time.monotonic()

    def run(self, advance: Callable[[int], object], should_stop: Callable[[], bool]) -> bool:
        """Process the remaining images, until the end or a request to stop.

        Args:
            advance: called with the number of images processed.
            should_stop: called after each batch; True stops the run.

        Returns:
            Whether the input's end was reached.

        Raises:
            SourceError: not a single image can be read.
        """
        reader = self._source.reader
        frames = reader.read_frames(
            self._source.cameras, self.tally.leave_out, note=self.tally.note
        )
        if self._config.fixed_frame:
            poses = BagPoses(reader, self._config.fixed_frame)
            frames = poses.add_to(frames, self.tally.miss_pose)
        reached = False
        try:
            self._restore(frames)
            advance(self.checkpoint.frames)
            reached = self._process_all(frames, advance, should_stop)
        except SourceError as error:  # results before the error are kept
            if not self.tally.frames:
                raise
            self.damage, reached = str(error), True
        if reached:
            self._transforms.copy(self._files.bag, is_last=True)
            if self._fusion is not None:
                self._fusion.write(self._fusion.fuse({}, final=True))
            self._check_truths_met()
        self.save()
        return reached

    def save(self, *, finished: bool = False) -> None:
        """Write a checkpoint."""
        lengths = self._files.commit()
        now = time.monotonic()
        state = {name: self._pipeline.camera(name) for name in self._names}
        arrays: dict[str, Arrays] = {
            f"{kind}/{name}": part.snapshot()
            for name in self._names
            for kind, part in state[name].memories.items()
        }
        shown = {name: self._topics[name].shown for name in self._names}
        if self._fusion is not None:
            arrays[_FUSED] = self._fusion.fuser.snapshot()
            shown[_FUSED] = self._fusion.messages.shown
            for name, camera in self._fusion.accuracy.cameras.items():
                arrays[f"{_FUSED_ERRORS}/{name}"] = camera.snapshot()
        arrays |= {f"errors/{name}": each.snapshot() for name, each in self._accuracy.items()}
        self.checkpoint = replace(
            self.checkpoint,
            transforms=self._transforms.count,
            wall_s=self.checkpoint.wall_s + now - self._start,
            finished=finished,
            lengths=lengths,
            information=self._files.bag.information,
            shown=shown,
            arrays=arrays,
        )
        self.checkpoint.save(self._files.folder / STATE)
        self._start = self._saved = now

    def _process_all(
        self, frames: Frames, advance: Callable[[int], object], should_stop: Callable[[], bool]
    ) -> bool:
        batches = gather(frames, len(self._names))
        while True:
            timings_ms: dict[str, float] = {}
            with measure(timings_ms, "read"):
                batch = next(batches, None)
            if batch is None:
                return True
            self._process(batch, timings_ms)
            advance(len(batch))
            if should_stop():
                return False
            if time.monotonic() - self._saved >= self._config.checkpoint_every:
                self.save()

    def _process(self, batch: CameraFrames, timings_ms: dict[str, float]) -> None:
        """Process a batch and write its results; on an error, none of them."""
        faults: dict[str, str] = {}
        try:
            with measure(timings_ms, "truth"):
                truths = self._find_truths(batch)
            results = self._pipeline.process_batch(
                batch,
                mesh=self._config.needs_mesh,
                report=lambda name, error: faults.update({name: self._explain(name, error)}),
            )
            timings_ms |= sum_timings(results.values())
            with measure(timings_ms, "errors"):
                pairs = {name: self._compare(name, results, truths) for name in results}
            moments = []
            if self._fusion is not None:
                with measure(timings_ms, "fuse"):
                    moments = self._fuse(self._fusion, results, truths, pairs)
        except Exception:
            self.save()  # keep the earlier results
            raise
        with measure(timings_ms, "write"):
            for name, frame in batch.items():
                self._transforms.follow(frame)
                self._transforms.copy(self._files.bag)
                self._log(name, faults.get(name, ""), results.get(name))
                if name in results:
                    self._write(name, frame, results[name], truths.get(name), pairs.get(name))
            if self._fusion is not None:
                self._fusion.write(moments)
        self._files.timings.write_rows(
            (self.checkpoint.batches, step, f"{ms:.4g}") for step, ms in timings_ms.items()
        )
        self.tally.add_timings(timings_ms)
        self.checkpoint = replace(
            self.checkpoint,
            frames=self.checkpoint.frames + len(batch),
            batches=self.checkpoint.batches + 1,
        )

    def _fuse(
        self,
        fusion: Fusion,
        results: dict[str, FrameResult],
        truths: dict[str, People],
        pairs: dict[str, Pairs | None],
    ) -> list[FusedMoment]:
        for name, matched in pairs.items():
            if matched is not None:
                fusion.label(name, results[name], truths[name], matched)
        return fusion.fuse(results)

    def _find_truths(self, batch: CameraFrames) -> dict[str, People]:
        """Return the ground truth of labelled images; pass boxes to the detectors if set."""
        truths = {}
        for name, frame in batch.items():
            people = self._truth_at(name, frame.stamp_ns)
            if people is not None:
                truths[name] = people
            detector = self._detector(name).inner
            if isinstance(detector, GivenBoxes):
                boxes = np.empty((0, 4)) if people is None else people.boxes_xyxy
                detector.give(detections_from(boxes[np.isfinite(boxes).all(1)]))
        return truths

    def _truth_at(self, name: str, stamp_ns: int) -> People | None:
        """Return the ground truth of an image; report people with invalid values."""
        truth = self._source.truths.get(name)
        people = None if truth is None else truth.at(stamp_ns)
        if people is not None:
            for id_ in people.ids[~usable_rows(people)].tolist():
                self.tally.leave_out(
                    self._source.truth_names[name],
                    f"the truth must be finite numbers below 1e6, got others for person {id_} at "
                    f"{stamp_ns} ns, whose errors are left out",
                )
        return people

    def _check_truths_met(self) -> None:
        """Report cameras none of whose images match the ground truth; metrics would be missing."""
        for name in self._source.truths:
            if self.tally.frames[name] and not self.tally.labelled[name]:
                self.tally.leave_out(
                    self._source.truth_names[name],
                    f"the truth must have stamps within 1 ms of the images of {name}, got none; "
                    "check that both count nanoseconds from the same time",
                )

    def _compare(
        self, name: str, results: dict[str, FrameResult], truths: dict[str, People]
    ) -> Pairs | None:
        if name not in truths:
            return None
        result = results[name]
        return self._accuracy[name].compare(result.stamp_ns, result.people, truths[name])

    def _explain(self, name: str, error: Exception) -> str:
        """Return the reason why an image failed, as a sentence.

        Raises:
            DeviceMemoryError: if that is the reason, as the next images would fail as well.
        """
        if isinstance(error, DeviceMemoryError):
            raise error
        step = "the detector" if self._detector(name).last is None else "the pipeline"
        return f"{step} failed: {type(error).__name__}: {error}"

    def _log(self, name: str, fault: str, result: FrameResult | None) -> None:
        left_out = () if result is None else result.left_out
        entry = LogEntry(self._detector(name).last, fault, left_out)
        self._count(name, entry)
        self._files.log(entry)

    def _count(self, name: str, entry: LogEntry) -> None:
        if entry.fault:
            self.tally.leave_out(name, entry.fault)
        for sentence in entry.left_out:
            self.tally.leave_out_person(name, sentence)

    def _write(
        self,
        name: str,
        frame: Frame,
        result: FrameResult,
        truth: People | None,
        pairs: Pairs | None,
    ) -> None:
        self._topics[name].write(frame, result)
        index = self.tally.frames[name]
        record = FrameRecord(
            name,
            index,
            frame.stamp_ns,
            frame.recorded_ns,
            self.checkpoint.batches,
            len(result.people),
        )
        if truth is not None and pairs is not None:
            record = with_truth(record, truth, pairs)
        rows, people = person_rows(name, index, result, pairs)
        self._files.frames.write_rows([record.row()])
        self._files.people.write_rows(rows)
        self.tally.add_frame(record)
        for person in people:
            self.tally.add_person(person)

    def _restore(self, frames: Frames) -> None:
        """Restore the state at the checkpoint."""
        done = zip(islice(frames, self.checkpoint.frames), self._files.logged(), strict=False)
        for (name, frame), logged in done:
            state = self._pipeline.camera(name)
            state.follow(frame)
            self._transforms.follow(frame)
            self._truth_at(name, frame.stamp_ns)  # ground truth follows the clock as well
            self._count(name, logged)
            if logged.found is None:
                continue
            found = logged.found
            if self._detector(name).remembers_images:
                found = state.detector.detect(frame.rgb)
            # A tracker that failed in the first run fails again here and is reset likewise.
            with suppress(Exception) if logged.fault else nullcontext():
                state.track(frame, found)
        self._restore_filters()
        if self.checkpoint.frames:
            self._files.restore(self.tally)

    def _restore_filters(self) -> None:
        """Restore what the checkpoint holds of filters, errors and markers."""
        for purpose, arrays in self.checkpoint.arrays.items():
            kind, _, name = purpose.partition("/")
            if purpose == _FUSED:
                if self._fusion is not None:
                    self._fusion.fuser.restore(arrays)
            elif kind == _FUSED_ERRORS:
                if self._fusion is not None:
                    self._fusion.accuracy.cameras[name].restore(arrays)
            elif kind == "errors":
                self._accuracy[name].restore(arrays)
            else:
                self._pipeline.camera(name).memories[kind].restore(arrays)
        shown = dict(self.checkpoint.shown)
        if self._fusion is not None:
            self._fusion.messages.shown = shown.pop(_FUSED, [])
        for name, ids in shown.items():
            self._topics[name].shown = ids

    def _detector(self, name: str) -> RecordingDetector:
        detector = self._pipeline.camera(name).detector
        assert isinstance(detector, RecordingDetector)
        return detector


def gather(frames: Frames, cameras: int) -> Iterator[CameraFrames]:
    """Yield successive images of different cameras together, as one batch.

    Args:
        frames: image topic and frame, in the order of the stamps.
        cameras: number of cameras.
    """
    batch: CameraFrames = {}
    try:
        for name, frame in frames:
            if name in batch:
                yield batch
                batch = {}
            batch[name] = frame
            if len(batch) == cameras:
                yield batch
                batch = {}
    except SourceError:
        if batch:
            yield batch
        raise
    if batch:
        yield batch
