"""Images of a recording, downscaled and compressed in memory for fast seeking."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from smpler_model.cameras.encodings import decode_compressed
from smpler_model.viewing.camera_view import shrink

_QUALITY = 80  # of JPEG


class StoredImages:
    """Images (h, w, 3) by frame number, RGB, at most `camera_view.IMAGE_WIDTH_PX` wide."""

    def __init__(self) -> None:
        self._stamps_ns: list[int] = []
        self._contents: list[bytes] = []
        self._rows: Sequence[int | None] = ()

    def __len__(self) -> int:
        return len(self._contents)

    def add(self, stamp_ns: int, rgb: NDArray[np.uint8]) -> None:
        """Add the next image."""
        bgr = cv2.cvtColor(shrink(rgb), cv2.COLOR_RGB2BGR)
        _, content = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        self._stamps_ns.append(stamp_ns)
        self._contents.append(content.tobytes())

    def match(self, stamps_ns: Sequence[int], *, own_clock: bool = False) -> None:
        """Match images to frames.

        If there are as many images as frames, they are matched in order; otherwise to the nearest
        image in time, at most half the median interval between images away.

        Args:
            stamps_ns: timestamps of the frames.
            own_clock: whether the images' times may begin at 0 with the first frame, as those of a
                video of frames from a camera or a bag do. Then frames that are all later than the
                last image are counted from the first one.
        """
        if len(stamps_ns) == len(self._stamps_ns):
            self._rows = range(len(stamps_ns))
            return
        have = np.array(self._stamps_ns, np.int64)
        if own_clock and len(have) and min(stamps_ns, default=0) > have.max():
            stamps_ns = [stamp_ns - stamps_ns[0] for stamp_ns in stamps_ns]
        order = np.argsort(have)
        have = have[order]
        most_ns = np.median(np.diff(have)) / 2 if len(have) > 1 else 0
        rows: list[int | None] = []
        for stamp_ns in stamps_ns:
            after = int(np.searchsorted(have, stamp_ns))
            near = [row for row in (after - 1, after) if 0 <= row < len(have)]
            best = min(near, key=lambda row: abs(int(have[row]) - stamp_ns), default=None)
            fits = best is not None and abs(int(have[best]) - stamp_ns) <= most_ns
            rows.append(int(order[best]) if fits and best is not None else None)
        self._rows = rows

    def match_numbers(self, numbers: Sequence[int | None]) -> None:
        """Match images to frames by the images' numbers, from 0; frames may have no image."""
        have = range(len(self))
        self._rows = [number if number in have else None for number in numbers]

    def read(self, index: int) -> NDArray[np.uint8] | None:
        """Return the image of a frame, if there is one."""
        row = self._rows[index] if index < len(self._rows) else None
        if row is None:
            return None
        return decode_compressed("jpeg", np.frombuffer(self._contents[row], np.uint8))
