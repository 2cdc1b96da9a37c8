"""Draw the crops of the self-check at start-up: `python -m synthetic.check_crops`."""

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch

from smpler_model.atomic_files import write_atomically
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.inference.check_crops import CHECK_CROPS_PATH, CHECK_CROPS_SIDE
from synthetic.crop_style import CropStyle
from synthetic.crops import CropRenderer, join_crops

_SEED, _ROOMS, _PEOPLE_IN_A_ROOM = 25, 4, 4
_CHOSEN = (3, 11, 13, 15)
"""A walking, a standing, a sitting and a pointing person, all fully in view and well lit."""
_JPEG_QUALITY = 92


def draw_check_crops() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return the crops, (4, 224, 224, 3) RGB."""
    body = Body(load_builtin_body())
    renderer = CropRenderer(body, CHECK_CROPS_SIDE, style=CropStyle(everyday=1.0))
    generator = torch.Generator().manual_seed(_SEED)
    rooms = [renderer.draw_seen(_PEOPLE_IN_A_ROOM, generator) for _ in range(_ROOMS)]
    images = join_crops(rooms).images.permute(0, 2, 3, 1).numpy()
    return np.ascontiguousarray(images[list(_CHOSEN)])


def main() -> None:
    """Write them side by side to one JPEG file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", nargs="?", type=Path, default=CHECK_CROPS_PATH)
    path: Path = parser.parse_args().path
    row = cv2.cvtColor(np.concatenate(list(draw_check_crops()), 1), cv2.COLOR_RGB2BGR)
    _, content = cv2.imencode(".jpg", row, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    write_atomically(path, lambda file: file.write(content.tobytes()))


if __name__ == "__main__":
    main()
