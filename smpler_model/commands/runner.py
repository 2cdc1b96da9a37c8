"""Runs a source through the pipeline and writes the results to files."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Integers
from smpler_model.commands.mesh_files import write_meshes
from smpler_model.commands.overlay_files import (
    LiveOverlayVideo,
    OverlayFile,
    OverlayImages,
    OverlayVideo,
)
from smpler_model.commands.result_files import RESULT_FILES, ResultFile
from smpler_model.commands.run_record import RUN_RECORD
from smpler_model.drawing.overlay import RenderStyle, draw_result
from smpler_model.frames import Frame, FrameResult
from smpler_model.inference.device_memory import DeviceMemoryError
from smpler_model.notices import Notify
from smpler_model.pipeline import Pipeline
from smpler_model.source import Source
from smpler_model.step_times import StepTimes

_WRITTEN = (
    *("results.jsonl", "results.npz", RUN_RECORD),
    *("overlay.mp4", "overlay_[0-9]*.mp4", "overlay.png", "overlay/*.png"),
    *("mesh.glb", "mesh.obj", "mesh/*.glb", "mesh/*.obj"),
)
"""Output files of a run."""

ShowProgress = Callable[[Iterable[Frame]], Iterable[Frame]]


@dataclass(frozen=True)
class FileOutputs:
    """The files to write.

    Attributes:
        folder: folder for all files; created if missing.
        results: suffix of the results file, a key of `RESULT_FILES`.
        overlay: style of the overlay; None for no overlay.
        mesh: suffix of the mesh files, one of `MESH_SUFFIXES`; empty for none.
        mesh_frames: indices of frames whose meshes are written; empty for all with people.
    """

    folder: Path
    results: str = "jsonl"
    overlay: RenderStyle | None = field(default_factory=RenderStyle)
    mesh: str = ""
    mesh_frames: frozenset[int] = frozenset()


class OutputFiles:
    """The files of one run."""

    def __init__(
        self, config: FileOutputs, source: Source, faces: Integers, times: StepTimes
    ) -> None:
        """Create the folder and open the files.

        Raises:
            OSError: they cannot be written.
        """
        self._config, self._faces, self._times = config, faces, times
        self._names, self._is_sequence = source.names, source.is_sequence
        config.folder.mkdir(parents=True, exist_ok=True)
        for path in files_of_run(config.folder):
            path.unlink()
        self._results: ResultFile = RESULT_FILES[config.results](
            config.folder / f"results.{config.results}"
        )
        self._overlay = _open_overlay(config, source)

    def needs_mesh(self, index: int) -> bool:
        """Return whether a frame needs vertices."""
        config = self._config
        drawn = config.overlay is not None and config.overlay.needs_mesh
        chosen = not config.mesh_frames or index in config.mesh_frames
        return drawn or (bool(config.mesh) and chosen)

    def write(self, index: int, frame: Frame, result: FrameResult) -> None:
        """Write the results of a frame.

        Raises:
            OSError: it cannot be written.
        """
        name = self._names.get(frame.stamp_ns, "")
        with self._times.measure("write results"):
            self._results.write(index, name, result)
        if self._overlay is not None:
            with self._times.measure("draw"):
                rgb = draw_result(frame.rgb, result, self._faces, self._config.overlay)
            self._write_overlay(index, frame.stamp_ns, rgb)
        if self._wants_mesh(index, result):
            with self._times.measure("write mesh"):
                write_meshes(self._mesh_path(index, name), result, self._faces)

    def leave_out(self, index: int, frame: Frame) -> None:
        """Handle a frame without a result: a video keeps its length.

        Raises:
            OSError: it cannot be written.
        """
        self._write_overlay(index, frame.stamp_ns, frame.rgb)

    def close(self) -> None:
        """Finish all files."""
        with ExitStack() as stack:
            stack.callback(self._results.close)
            if self._overlay is not None:
                stack.callback(self._overlay.close)

    def _write_overlay(self, index: int, stamp_ns: int, rgb: NDArray[np.uint8]) -> None:
        name = self._names.get(stamp_ns, "") if self._is_sequence else "overlay"
        if self._overlay is not None:
            with self._times.measure("write overlay"):
                self._overlay.write(index, name, stamp_ns, rgb)

    def _wants_mesh(self, index: int, result: FrameResult) -> bool:
        chosen = not self._config.mesh_frames or index in self._config.mesh_frames
        return bool(self._config.mesh) and chosen and len(result.people) > 0

    def _mesh_path(self, index: int, name: str) -> Path:
        folder, suffix = self._config.folder, self._config.mesh
        if not self._is_sequence:
            return folder / f"mesh.{suffix}"
        (folder / "mesh").mkdir(exist_ok=True)
        return folder / "mesh" / f"{name or f'{index:06d}'}.{suffix}"


def files_of_run(folder: Path) -> list[Path]:
    """Return the files that the next run into a folder removes; none if it holds no results.

    The next run may have other frames, and files of other kinds.
    """
    return files_in_the_way(folder) if any(folder.glob("results.*")) else []


def files_in_the_way(folder: Path) -> list[Path]:
    """Return the files in a folder whose names a run would use."""
    return [path for pattern in _WRITTEN for path in folder.glob(pattern)]


@dataclass(frozen=True)
class Done:
    """Summary of a run.

    Attributes:
        frames: number of frames.
        people: number of people, counted by their ids.
        failed: number of frames without a result.
    """

    frames: int
    people: int
    failed: int


def run_source(
    source: Source,
    pipeline: Pipeline,
    outputs: OutputFiles,
    times: StepTimes,
    progress: ShowProgress,
    report: Notify,
) -> Done:
    """Process all frames and write the results; results so far are kept in any case.

    Args:
        source: source of the frames.
        pipeline: pipeline that finds people.
        outputs: output files, which are closed at the end.
        times: collects the time of every step.
        progress: displays the progress.
        report: called with a message for each frame and each person that was left out.

    Raises:
        SourceError: the source is truncated.
        DeviceMemoryError: the network does not fit into memory; further frames would fail as well.
    """
    ids: set[int] = set()
    failed = 0

    def leave_out(_: str, error: Exception) -> None:
        if isinstance(error, DeviceMemoryError):
            raise error
        said = f"{error}" if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        report(f"a frame was left out: {said}")

    try:
        for index, frame in enumerate(progress(_measured(source.frames, times))):
            mesh = outputs.needs_mesh(index)
            results = pipeline.process_batch({"": frame}, mesh=mesh, report=leave_out)
            for result in results.values():
                times.add(result.timings_ms)
                outputs.write(index, frame, result)
                ids.update(result.people.ids.tolist())
                for sentence in result.left_out:
                    report(sentence)
            if not results:
                outputs.leave_out(index, frame)
                failed += 1
            times.frames += 1
    finally:
        outputs.close()
    return Done(times.frames, len(ids), failed)


def _measured(frames: Iterator[Frame], times: StepTimes) -> Iterator[Frame]:
    while True:
        with times.measure("read"):
            frame = next(frames, None)
        if frame is None:
            return
        yield frame


def _open_overlay(config: FileOutputs, source: Source) -> OverlayFile | None:
    if config.overlay is None:
        return None
    if not source.is_sequence:
        return OverlayImages(config.folder)
    if source.names:
        return OverlayImages(config.folder / "overlay")
    path = config.folder / "overlay.mp4"
    if source.is_live:
        return LiveOverlayVideo(path, source.rate_hz)
    return OverlayVideo(path, source.rate_hz)
