"""A page of people with their true and estimated joints."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.real_people.folder import JOINTS, PersonTruth
from smpler_model.array_types import Floats, RgbImage
from smpler_model.atomic_files import write_atomically
from smpler_model.cameras.crops import cut_crops

TILE_PX = 300
"""Side of the square around a person."""

_COLUMNS = 6
_MARGIN = 1.4
_REACH_M = 1.1  # from the hips to the border of a view from the side
_SUBPIXEL_BITS = 4
_TRUE = (255, 255, 255)
_FOUND = {"left": (255, 150, 40), "right": (70, 170, 255), "": (120, 230, 120)}
_BONES = [
    *(
        (f"{side}_{a}", f"{side}_{b}")
        for side in ("left", "right")
        for a, b in (
            ("shoulder", "elbow"),
            ("elbow", "wrist"),
            ("shoulder", "hip"),
            ("hip", "knee"),
            ("knee", "ankle"),
        )
    ),
    ("left_shoulder", "right_shoulder"),
    ("left_hip", "right_hip"),
]


def show_in_image(
    rgb: RgbImage, person: PersonTruth, found_px: Floats | None, caption: str
) -> RgbImage:
    """Return a tile of a person cut out of an image: truth in white, the estimate in colours.

    Args:
        rgb: (h, w, 3).
        person: person with the estimate.
        found_px: (12, 2) joints; None if the person was not found.
        caption: text below the image.
    """
    crops = cut_crops(rgb, person.box_xyxy[None], TILE_PX, margin=_MARGIN)
    tile = crops.pixels[0].copy()
    for points, is_true in ((person.joints_px, True), (found_px, False)):
        if points is not None:
            joints = (crops.crop_from_image(points[None])[0] + 1) * TILE_PX / 2
            known = person.labelled if is_true else np.isfinite(joints).all(1)
            _draw(tile, joints, known, is_true=is_true)
    return write_caption(tile, caption)


def show_from_side(true_m: Floats, found_m: Floats | None, caption: str) -> RgbImage:
    """Return a tile of bodies seen from the camera's left, with the camera at the left border.

    Args:
        true_m: (12, 3) joints relative to a common origin, optical frame.
        found_m: (12, 3) joints relative to the same origin; None if the person was not found.
        caption: text below the image.
    """
    tile = np.full((TILE_PX, TILE_PX, 3), 40, np.uint8)
    everything = np.ones(len(JOINTS), np.bool_)
    for joints, is_true in ((true_m, True), (found_m, False)):
        if joints is not None:
            places = (joints[:, [2, 1]] / _REACH_M + 1) * TILE_PX / 2
            _draw(tile, places, everything, is_true=is_true)
    return write_caption(tile, caption)


def write_caption(tile: RgbImage, caption: str) -> RgbImage:
    """Write a caption at the bottom of a tile, and return the tile."""
    for colour, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        place = (6, TILE_PX - 8)
        cv2.putText(
            tile, caption, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, thickness, cv2.LINE_AA
        )
    return tile


def write_sheet(tiles: Sequence[RgbImage], path: Path) -> None:
    """Write tiles as a PNG, row by row.

    Raises:
        OSError: it cannot be written.
    """
    blank = np.zeros((TILE_PX, TILE_PX, 3), np.uint8)
    full = [*tiles, *[blank] * (-len(tiles) % _COLUMNS)] or [blank]
    rows = [np.hstack(full[k : k + _COLUMNS]) for k in range(0, len(full), _COLUMNS)]
    _, content = cv2.imencode(".png", cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))
    write_atomically(path, lambda file: file.write(content.tobytes()))


def _draw(tile: RgbImage, joints: Floats, known: NDArray[np.bool_], *, is_true: bool) -> None:
    places = np.rint(np.nan_to_num(joints).clip(-1e4, 1e4) * 2**_SUBPIXEL_BITS).astype(int)
    for names in _BONES:
        rows = [JOINTS.index(name) for name in names]
        if not known[rows].all():
            continue
        sides = {name.partition("_")[0] for name in names}
        colour = _TRUE if is_true else _FOUND[sides.pop() if len(sides) == 1 else ""]
        start, end = places[rows].tolist()
        cv2.line(tile, start, end, colour, 1 if is_true else 2, cv2.LINE_AA, _SUBPIXEL_BITS)
    for place in places[known].tolist():
        if is_true:
            radius = 3 << _SUBPIXEL_BITS
            cv2.circle(tile, place, radius, _TRUE, 1, cv2.LINE_AA, _SUBPIXEL_BITS)
