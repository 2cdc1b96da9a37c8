"""Times of decoding image messages to RGB: `python -m benchmarks.decoding`.

The project's decoder and `rosbags-image`, on the same messages in the same run.
"""

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rosbags.image import ImageError, message_to_cvimage
from rosbags.typesys import Stores, get_typestore

from smpler_model.atomic_files import write_text_atomically
from smpler_model.cameras.encodings import encode_jpeg
from smpler_model.cameras.messages import Message, decode_image

WIDTH, HEIGHT = 1920, 1080
BYTES_A_PIXEL = {
    "rgb8": 3.0,
    "bgr8": 3.0,
    "bgra8": 4.0,
    "mono8": 1.0,
    "mono16": 2.0,
    "bayer_rggb8": 1.0,
    "yuv422_yuy2": 2.0,
    "nv12": 1.5,
}
PADDED = "rgb8, padded rows"
RUNS = 15


@dataclass(frozen=True)
class Row:
    """One line of the table: median times; None if the image is wrong or missing."""

    image: str
    ours_ms: float
    rosbags_image_ms: float | None


def raw_message(encoding: str, padding: int = 0) -> Message:
    """Return a `sensor_msgs/Image` of noise, with this many unused bytes after every row."""
    store = get_typestore(Stores.ROS2_JAZZY)
    rows = HEIGHT * 3 // 2 if encoding == "nv12" else HEIGHT
    step = round(WIDTH * BYTES_A_PIXEL[encoding] * HEIGHT / rows) + padding
    data = np.random.default_rng(0).integers(0, 256, rows * step, np.uint8)
    return store.types["sensor_msgs/msg/Image"](
        header=None,  # type: ignore[arg-type]
        height=HEIGHT,
        width=WIDTH,
        encoding=encoding,
        is_bigendian=0,
        step=step,
        data=data,
    )


def jpeg_message() -> Message:
    """Return a `sensor_msgs/CompressedImage` of a smooth image."""
    store = get_typestore(Stores.ROS2_JAZZY)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    rgb = np.stack([x * 255 / WIDTH, y * 255 / HEIGHT, (x + y) % 256], 2).astype(np.uint8)
    return store.types["sensor_msgs/msg/CompressedImage"](
        header=None,  # type: ignore[arg-type]
        format="rgb8; jpeg compressed bgr8",
        data=np.frombuffer(encode_jpeg(rgb), np.uint8),
    )


def median_ms(work: Callable[[], object]) -> float:
    """Return the median time of a call."""
    times = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times[1:])


def compare(name: str, message: Message) -> Row:
    """Time both decoders; that of the library counts only if the images agree up to rounding."""
    ours = decode_image(message)
    try:
        theirs = np.asarray(message_to_cvimage(message, "rgb8"))
    except (ImageError, ValueError, TypeError, AttributeError):
        theirs = np.empty(0, np.uint8)
    same = theirs.shape == ours.shape and np.abs(ours.astype(int) - theirs).max() <= 1
    return Row(
        name,
        median_ms(lambda: decode_image(message)),
        median_ms(lambda: message_to_cvimage(message, "rgb8")) if same else None,
    )


def table(rows: list[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        f"{platform.machine()}, {WIDTH}x{HEIGHT}, median milliseconds",
        "| image | ours | rosbags-image |",
        "|---|---|---|",
    ]
    for row in rows:
        theirs = "wrong" if row.rosbags_image_ms is None else f"{row.rosbags_image_ms:.2f}"
        lines.append(f"| {row.image} | {row.ours_ms:.2f} | {theirs} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print a table, and optionally write JSON."""
    parser = argparse.ArgumentParser(description="Times of decoding image messages to RGB.")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = [compare(encoding, raw_message(encoding)) for encoding in BYTES_A_PIXEL]
    rows.append(compare(PADDED, raw_message("rgb8", padding=64)))
    rows.append(compare("jpeg", jpeg_message()))
    sys.stdout.write(table(rows) + "\n")
    if arguments.json:
        write_text_atomically(
            arguments.json, json.dumps([asdict(row) for row in rows], indent=2) + "\n"
        )


if __name__ == "__main__":
    main()
