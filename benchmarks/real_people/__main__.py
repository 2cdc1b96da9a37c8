"""Accuracy on real people: `python -m benchmarks.real_people FOLDER [--stages] [--detector D]`.

FOLDER contains photos and videos with ground truth in `people.json`, see `folder`. The model gets
the labelled boxes and runs in the same pipeline as on robots; people in videos are placed in
metres by the videos' calibration. The output is, over all labelled joints of the photos, the
fraction of joints closer than a fraction of the person's box, and for videos the errors of 12
joints in space. People whom the model does not find are left out, and their number is printed.
OUT gets `predictions.json`, `figures.json`, and `sheet.png`, which shows each person with the true
joints in white and the estimated ones in colour (left limbs orange, right ones blue). With
`--stages`, the output also has the metrics of the first guess and of the estimate after each
Transformer block, before alignment with keypoints. With a detector, it has the fraction of the
people in photos that the detector finds and its false boxes; the page shows its boxes in green.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.real_people.detection import detect_in_photos, score_detections, show_boxes
from benchmarks.real_people.estimation import (
    Observer,
    Seen,
    load_observers,
    read_photos,
    read_video,
)
from benchmarks.real_people.folder import (
    JOINTS,
    FolderTruth,
    PersonTruth,
    VideoTruth,
    read_folder,
)
from benchmarks.real_people.scoring import (
    PhotoScores,
    VideoScores,
    average,
    count_people,
    hips_of,
    score_photos,
    score_video,
)
from benchmarks.real_people.sheet import (
    TILE_PX,
    show_from_side,
    show_in_image,
    write_sheet,
)
from smpler_model.array_types import Floats, RgbImage
from smpler_model.assembly import choose_device, detector_factory
from smpler_model.atomic_files import write_text_atomically
from smpler_model.detectors.detector import Detector
from smpler_model.frames import Frame
from smpler_model.settings.pipeline import DETECTORS, PipelineSettings

_PX_DECIMALS, _M_DECIMALS = 2, 4
_SHOWN_FRAMES = 6  # of a video
_NOBODY = "nobody found"


class Report:
    """Collects predictions, figures and the tiles of the page.

    Predictions and tiles are those of the last of several observers.
    """

    def __init__(self, folder: FolderTruth) -> None:
        self.folder = folder
        self.predictions: dict[str, dict[str, Any]] = {"photos": {}, "videos": {}}
        self.figures: dict[str, Any] = {}
        self.lines: list[str] = []
        self.tiles: list[RgbImage] = []

    def take(self, observers: Mapping[str, Observer]) -> None:
        """Evaluate a model's estimates by their names, the final one last."""
        photos, videos = self._take_photos(observers), self._take_videos(observers)
        if len(observers) == 1:
            return
        self.figures["stages"] = []
        for name in observers:
            found = {"photos": photos[name], "videos": videos[name]}
            figures = {kind: scores and asdict(scores) for kind, scores in found.items()}
            self.figures["stages"].append({"name": name, **figures})
            self.lines += [
                f"{name}   {scores.line(kind)}" for kind, scores in found.items() if scores
            ]

    def _take_photos(self, observers: Mapping[str, Observer]) -> dict[str, PhotoScores | None]:
        """Return each observer's metrics on all photos."""
        found: dict[str, dict[str, list[Floats | None]]] = {name: {} for name in observers}
        for photo, frame in read_photos(self.folder):
            for name, observer in observers.items():
                seen = observer.look(frame, photo.boxes_xyxy)
                joints_px = [None if person is None else person.joints_px for person in seen]
                found[name][photo.image] = joints_px
            self.predictions["photos"][photo.image] = [
                None if each is None else each.round(_PX_DECIMALS).tolist() for each in joints_px
            ]
            self.tiles += [
                show_in_image(frame.rgb, person, each, _caption_photo(person, each))
                for person, each in zip(photo.people, joints_px, strict=True)
            ]
        scores = {name: score_photos(self.folder.photos, each) for name, each in found.items()}
        if final := list(scores.values())[-1]:
            self.figures["photos"] = asdict(final)
            self.lines.append(final.line("photos"))
        elif people := count_people(self.folder.photos):
            self.lines.append(f"photos: 0 of {people} people")
        return scores

    def _take_videos(self, observers: Mapping[str, Observer]) -> dict[str, VideoScores | None]:
        """Return each observer's metrics, averaged over all videos."""
        every: dict[str, list[VideoScores]] = {name: [] for name in observers}
        for video in self.folder.videos:
            final = None
            for name, joints_m in self._look_at_video(video, observers).items():
                final = score_video(video, joints_m)
                every[name] += [final] if final else []
            if final:
                self.figures[video.video] = asdict(final)
                self.lines.append(final.line(video.video))
            else:
                self.lines.append(f"{video.video}: 0 of {len(video.scored_frames)} frames")
        means = {name: average(scores) if scores else None for name, scores in every.items()}
        if mean := list(means.values())[-1]:
            self.figures["videos"] = asdict(mean)
            self.lines.append(mean.line("videos"))
        return means

    def _look_at_video(
        self, video: VideoTruth, observers: Mapping[str, Observer]
    ) -> dict[str, dict[int, Floats]]:
        """Return each observer's joints in the scored frames in which it found the person."""
        found: dict[str, dict[int, Floats]] = {name: {} for name in observers}
        predictions = self.predictions["videos"][video.video] = {}
        places = np.linspace(0, len(video.scored_frames) - 1, _SHOWN_FRAMES).astype(int)
        shown = {video.scored_frames[place] for place in places}
        for number, frame in read_video(self.folder, video):
            for name, observer in observers.items():
                (seen,) = observer.look(frame, video.boxes_xyxy[number, None])
                if seen is not None:
                    found[name][number] = seen.joints_m
            if seen is not None:
                predictions[str(number)] = {
                    "joints_m": seen.joints_m.round(_M_DECIMALS).tolist(),
                    "joints_px": seen.joints_px.round(_PX_DECIMALS).tolist(),
                }
            if number in shown:
                self.tiles += _show_frame(video, number, frame, seen)
        return found

    def take_detections(self, detector: Detector, name: str) -> None:
        """Evaluate a detector on all photos."""
        found = {}
        for photo, rgb, boxes_xyxy in detect_in_photos(detector, self.folder):
            found[photo.image] = boxes_xyxy
            self.tiles.append(show_boxes(rgb, photo, boxes_xyxy, TILE_PX))
        self.predictions["detections"] = {
            image: boxes.round(_PX_DECIMALS).tolist() for image, boxes in found.items()
        }
        scores = score_detections(self.folder.photos, found)
        self.figures["detections"] = {**asdict(scores), "detector": name}
        self.lines.append(scores.line(name))

    def write(self, output: Path) -> None:
        """Write predictions, figures and the page.

        Raises:
            OSError: they cannot be written.
        """
        output.mkdir(parents=True, exist_ok=True)
        for name, content in (("predictions", self.predictions), ("figures", self.figures)):
            write_text_atomically(output / f"{name}.json", json.dumps(content, indent=1) + "\n")
        if self.tiles:
            write_sheet(self.tiles, output / "sheet.png")


def _caption_photo(person: PersonTruth, joints_px: Floats | None) -> str:
    if joints_px is None:
        return _NOBODY
    if not person.labelled.any():
        return "no joints are labelled"
    apart = np.linalg.norm(joints_px - person.joints_px, axis=1)[person.labelled]
    note = "" if person.is_scored else ", not scored"
    return f"{(apart / person.size_px).mean():.3f} of the box{note}"


def _show_frame(video: VideoTruth, number: int, frame: Frame, seen: Seen | None) -> list[RgbImage]:
    true_m = video.joints_m[number]
    person = PersonTruth(
        video.boxes_xyxy[number],
        video.camera.project(true_m),
        np.ones(len(JOINTS), np.bool_),
        is_scored=True,
    )
    title, true_hips = f"{video.video} {number}", hips_of(true_m)
    if seen is None:
        return [
            show_in_image(frame.rgb, person, None, f"{title}, {_NOBODY}"),
            show_from_side(true_m - true_hips, None, _NOBODY),
        ]
    found_m = seen.joints_m - hips_of(seen.joints_m)
    error_mm = 1e3 * np.linalg.norm(found_m - (true_m - true_hips), axis=1).mean()
    return [
        show_in_image(frame.rgb, person, seen.joints_px, title),
        show_from_side(true_m - true_hips, found_m, f"from the side, {error_mm:.0f} mm"),
    ]


def main() -> int:
    """Parse the command line and measure; return 1 after an error, which is one sentence."""
    parser = argparse.ArgumentParser(description="Accuracy on real people.")
    parser.add_argument("folder", type=Path, help="folder of people.json, photos and videos")
    parser.add_argument("--model", default="smpler_nano", help="shipped model, or checkpoint")
    parser.add_argument(
        "--stages",
        action="store_true",
        help="also evaluate the first guess and the estimate after each Transformer block",
    )
    parser.add_argument("--detector", choices=DETECTORS, help="detector to evaluate as well")
    parser.add_argument("--detector-weights", default="", help="its weights file, if it needs one")
    parser.add_argument("--output", type=Path, default=Path("runs/real_people"))
    chosen = parser.parse_args()
    try:
        report = Report(read_folder(chosen.folder))
        if chosen.detector:
            settings = PipelineSettings(
                detector=chosen.detector, detector_weights=chosen.detector_weights
            )
            detector = detector_factory(settings, choose_device(settings.device))()
            report.take_detections(detector, chosen.detector)
        report.take(load_observers(chosen.model, stages=chosen.stages))
        report.write(chosen.output)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write("\n".join(report.lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
