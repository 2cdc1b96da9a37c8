"""Tracks of people in videos: `python -m benchmarks.video_tracks VIDEO ... [--detector D]`.

Detector and tracker have the pipeline's settings. For each video it prints the confirmed tracks in
the order in which they begin: id, when and in how many images each is seen, and the height of its
boxes; then the number of ids, and with `--empty` the number of boxes in images that are known to
show no people. `--sheet` draws one image of each track.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from benchmarks.real_people.sheet import TILE_PX, write_caption, write_sheet
from benchmarks.timing import format_table, write_results
from smpler_model.array_types import Floats, RgbImage
from smpler_model.assembly import choose_device, detector_factory, pipeline_config
from smpler_model.frames import Frame, TrackState
from smpler_model.people.tracker import IdSource, Tracker, Tracks
from smpler_model.settings.pipeline import DETECTORS, PipelineSettings
from smpler_model.sources import open_source

_COLOUR = (120, 230, 120)


@dataclass
class SeenTrack:
    """A confirmed track in a video.

    Attributes:
        id: its id.
        rows: numbers of the images in which it has a detection.
        heights_px: heights of its boxes.
        tile: the image with its tallest box.
    """

    id: int
    rows: list[int] = field(default_factory=list)
    heights_px: list[float] = field(default_factory=list)
    tile: RgbImage | None = None


@dataclass(frozen=True)
class VideoTracks:
    """The confirmed tracks of a video.

    Attributes:
        images: number of images.
        rate_hz: rate of the images.
        tracks: tracks in the order in which they begin.
        boxes: number of boxes in each image.
    """

    images: int
    rate_hz: float
    tracks: list[SeenTrack]
    boxes: list[int]

    def count_boxes(self, empty: Sequence[range]) -> tuple[int, int]:
        """Return the number of images in ranges of images, and of the boxes in them."""
        rows = sorted({row for part in empty for row in part if row < self.images})
        return len(rows), sum(self.boxes[row] for row in rows)

    def rows(self) -> list[list[object]]:
        """Return a row of the table for each track."""
        return [
            [
                track.id,
                f"{track.rows[0]} to {track.rows[-1]}",
                f"{track.rows[0] / self.rate_hz:.1f} to {track.rows[-1] / self.rate_hz:.1f}",
                len(track.rows),
                f"{min(track.heights_px):.0f} to {max(track.heights_px):.0f}",
            ]
            for track in self.tracks
        ]


def follow(name: str, settings: PipelineSettings) -> VideoTracks:
    """Detect and track people in a video.

    Raises:
        SourceError: it cannot be read.
        ValueError: an unusable detector.
    """
    detector = detector_factory(settings, choose_device(settings.device))()
    tracker = Tracker(IdSource(), pipeline_config(settings).tracker)
    known: dict[int, SeenTrack] = {}
    boxes: list[int] = []
    with open_source(name) as source:
        for row, frame in enumerate(source.frames):
            tracks = tracker.update(frame.stamp_ns, detector.detect(frame.rgb))
            seen = tracks.select(tracks.states == TrackState.CONFIRMED)
            boxes.append(len(seen))
            _note(known, row, frame, seen)
        rate_hz = source.rate_hz
    ordered = sorted(known.values(), key=lambda track: track.rows[0])
    return VideoTracks(len(boxes), rate_hz, ordered, boxes)


def _note(known: dict[int, SeenTrack], row: int, frame: Frame, seen: Tracks) -> None:
    for id_, box in zip(seen.ids.tolist(), seen.boxes_xyxy, strict=True):
        track = known.setdefault(id_, SeenTrack(id_))
        height = float(box[3] - box[1])
        if height > max(track.heights_px, default=0.0):
            track.tile = _draw_tile(frame.rgb, box, f"id {id_}, image {row}")
        track.rows.append(row)
        track.heights_px.append(height)


def _draw_tile(rgb: RgbImage, box_xyxy: Floats, caption: str) -> RgbImage:
    scale = TILE_PX / max(rgb.shape[:2])
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    tile = np.zeros((TILE_PX, TILE_PX, 3), np.uint8)
    tile[: size[1], : size[0]] = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    left, top, right, bottom = np.rint(box_xyxy * scale).astype(int).tolist()
    cv2.rectangle(tile, (left, top), (right, bottom), _COLOUR, 2)
    return write_caption(tile, caption)


def describe(name: str, found: VideoTracks, empty: Sequence[range]) -> Iterator[str]:
    """Yield the paragraphs about a video."""
    header = ["id", "images", "seconds", "seen in", "box height, px"]
    yield format_table(header, found.rows())
    ids, busy = len(found.tracks), sum(count > 0 for count in found.boxes)
    line = f"{Path(name).name}: {ids} ids in {found.images} images, of which {busy} have boxes"
    if empty:
        count, boxes = found.count_boxes(empty)
        line += f"; {boxes} boxes in the {count} images said to be empty"
    yield line


def read_range(text: str) -> range:
    """Return the images of `FIRST-LAST`, both included.

    Raises:
        argparse.ArgumentTypeError: another text.
    """
    first, dash, last = text.partition("-")
    if not (dash and first.isdecimal() and last.isdecimal() and int(first) <= int(last)):
        raise argparse.ArgumentTypeError(
            f"empty images must be FIRST-LAST, got '{text}'; write 0-20, for example"
        )
    return range(int(first), int(last) + 1)


def main() -> int:
    """Measure and print; return 1 after an error, which is one sentence."""
    parser = argparse.ArgumentParser(description="Track people in videos.")
    parser.add_argument("videos", nargs="+", help="videos, folders of images or bags")
    parser.add_argument("--detector", choices=DETECTORS, default="person")
    parser.add_argument("--detector-weights", default="", help="weights file of the detector")
    parser.add_argument(
        "--empty", type=read_range, nargs="*", default=[], help="images without people, FIRST-LAST"
    )
    parser.add_argument("--sheet", type=Path, help="write a PNG with a box of each track here")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    chosen = parser.parse_args()
    settings = PipelineSettings(detector=chosen.detector, detector_weights=chosen.detector_weights)
    try:
        found = {name: follow(name, settings) for name in chosen.videos}
        if chosen.sheet:
            tiles = [track.tile for each in found.values() for track in each.tracks]
            write_sheet([tile for tile in tiles if tile is not None], chosen.sheet)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    parts = [part for name, each in found.items() for part in describe(name, each, chosen.empty)]
    record = {
        Path(name).name: {"images": each.images, "tracks": each.rows(), "boxes": sum(each.boxes)}
        for name, each in found.items()
    }
    write_results(record, "\n\n".join(parts), chosen.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
