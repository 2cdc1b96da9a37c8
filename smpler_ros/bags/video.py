"""Videos of the overlays in the output bag, which is valid even after a killed run."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np

from smpler_model.bags.reader import BagReader, open_bag
from smpler_model.cameras.messages import NS_PER_S, decode_image, stamp_ns_of
from smpler_model.drawing.video import SUFFIX, USUAL_RATE_HZ, Video
from smpler_ros.bags.camera_messages import OVERLAY
from smpler_ros.bags.run_files import BAG

_FIRST_STEPS = 100  # time steps between images from which the rate is computed
_MOST_NAME_BYTES = 200  # file systems allow 255


def write_videos(folder: Path) -> dict[str, str]:
    """Write `overlay.mp4`, or one file per camera, at the images' median rate.

    Images are scaled to the size of the first.

    Args:
        folder: folder of a run whose bag has overlays.

    Returns:
        The files' names by the overlays' topics.

    Raises:
        OSError: a video cannot be written.
    """
    with open_bag(folder / BAG) as reader:
        names = name_videos(name for name in reader.topics if name.endswith(OVERLAY))
        for topic, name in names.items():
            _write_video(reader, topic, folder / name)
    return names


def name_videos(topics: Iterable[str]) -> dict[str, str]:
    """Return a unique file name of valid length for each overlay topic.

    It is `overlay.mp4` for a single topic, else `overlay_front.mp4` for
    `/front/overlay/compressed`. Names that would collide, as of `/a/b` and `/a_b`, are numbered.
    """
    topics = sorted(topics)
    names: dict[str, str] = {}
    for topic in topics:
        place = topic.removesuffix(OVERLAY).strip("/") if len(topics) > 1 else ""
        stem = f"overlay_{place}".replace("/", "_") if place else "overlay"
        stem = stem.encode()[:_MOST_NAME_BYTES].decode(errors="ignore")
        name, number = f"{stem}{SUFFIX}", 2
        while name in names.values():
            name, number = f"{stem}_{number}{SUFFIX}", number + 1
        names[topic] = name
    return names


def _write_video(reader: BagReader, topic: str, path: Path) -> None:
    messages = (each.message for each in reader.read_messages([topic]))
    rate_hz = _rate_hz([stamp_ns_of(message) for message in islice(messages, _FIRST_STEPS)])
    video: Video | None = None
    for each in reader.read_messages([topic]):
        rgb = decode_image(each.message)
        video = video or Video(path, rate_hz, rgb.shape[1], rgb.shape[0])
        video.write(rgb)
    if video is not None:
        video.close()


def _rate_hz(stamps_ns: list[int]) -> float:
    steps = np.diff(stamps_ns)
    steps = steps[steps > 0]
    return float(NS_PER_S / np.median(steps)) if len(steps) else USUAL_RATE_HZ
