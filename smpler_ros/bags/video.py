"""Videos of the overlays in the output bag, which is whole even where a run was killed."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from smpler_model.bags.reader import open_bag
from smpler_model.cameras.messages import NS_PER_S, decode_image, stamp_ns_of
from smpler_ros.bags.camera_messages import OVERLAY
from smpler_ros.bags.run_files import BAG

_USUAL_RATE_HZ = 30.0
_FIRST_STEPS = 100  # images whose steps in time decide the rate


def write_videos(folder: Path) -> list[Path]:
    """Write `overlay.mp4`, or one file a camera, at the images' median rate.

    Args:
        folder: of a run whose bag has overlays.

    Returns:
        The files.
    """
    written = []
    with open_bag(folder / BAG) as reader:
        topics = [name for name in reader.topics if name.endswith(OVERLAY)]
        for topic in topics:
            stamps = []
            for each in reader.read_messages([topic]):
                stamps.append(stamp_ns_of(each.message))
                if len(stamps) == _FIRST_STEPS:
                    break
            name = "" if len(topics) == 1 else topic.removesuffix(OVERLAY).replace("/", "_")
            path = folder / f"overlay{name.rstrip('_')}.mp4"
            images = (decode_image(each.message) for each in reader.read_messages([topic]))
            writer: cv2.VideoWriter | None = None
            size = (0, 0)
            for rgb in images:
                if writer is None:
                    size = rgb.shape[1], rgb.shape[0]
                    codec = cv2.VideoWriter.fourcc(*"mp4v")
                    writer = cv2.VideoWriter(str(path), codec, _rate_hz(stamps), size)
                bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
                writer.write(bgr if bgr.shape[1::-1] == size else cv2.resize(bgr, size))
            if writer is not None:
                writer.release()
                written.append(path)
    return written


def _rate_hz(stamps_ns: list[int]) -> float:
    steps = np.diff(stamps_ns)
    steps = steps[steps > 0]
    return float(NS_PER_S / np.median(steps)) if len(steps) else _USUAL_RATE_HZ
