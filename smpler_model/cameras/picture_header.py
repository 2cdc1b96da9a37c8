"""What the head of a picture file says, before anything is unpacked."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
from PIL.ImageFile import ImageFile

# By the first bytes. `Image.open` would warn of large pictures; here the caller decides.
_READERS: dict[bytes, Callable[[BytesIO], ImageFile]] = {
    b"\xff\xd8": JpegImagePlugin.JpegImageFile,
    b"\x89PNG": PngImagePlugin.PngImageFile,
    b"BM": BmpImagePlugin.BmpImageFile,
    b"II*\0": TiffImagePlugin.TiffImageFile,
    b"MM\0*": TiffImagePlugin.TiffImageFile,
    b"RIFF": WebPImagePlugin.WebPImageFile,
    b"\xff\x4f\xff\x51": Jpeg2KImagePlugin.Jpeg2KImageFile,
    b"\0\0\0\x0cjP  ": Jpeg2KImagePlugin.Jpeg2KImageFile,
    **{f"P{kind}".encode(): PpmImagePlugin.PpmImageFile for kind in range(1, 7)},
}
_ORIENTATION = 0x0112  # tag of TIFF and EXIF
_BROKEN = (SyntaxError, OSError, ValueError, OverflowError, EOFError)


def read_size(content: NDArray[np.uint8]) -> tuple[int, int] | None:
    """Return width and height, None for bytes that are no picture of a known kind."""
    opened = _open(content)
    return None if opened is None else opened.size


def read_orientation(content: NDArray[np.uint8]) -> int:
    """Return how a picture is to be turned, by EXIF: 1 (as it is) to 8."""
    opened = _open(content)
    try:
        value: Any = 1 if opened is None else opened.getexif().get(_ORIENTATION, 1)
    except _BROKEN:
        return 1
    return value if value in range(1, 9) else 1


def _open(content: NDArray[np.uint8]) -> ImageFile | None:
    head = content[:8].tobytes()
    for begin, reader in _READERS.items():
        if head.startswith(begin):
            try:
                return reader(BytesIO(content.tobytes()))
            except _BROKEN:
                return None
    return None
