"""The small data set that the expected values in `tests/data/parity` belong to.

Eight rows in the released layout: `eval.yaml` is single, `train.yaml` composed of two parts.
"""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

ROWS = 8
COMPOSITE_ORDER = ((0, 4), (1, 0), (0, 1), (1, 2), (0, 0), (1, 1), (0, 2), (0, 3))
_FIRST_PART = 5
_ROUNDING = (
    (0, 99, 228, 0, 1),
    (2, 191, 204, 0, 1),
    (2, 211, 145, 0, -1),
    (4, 203, 151, 0, -1),
    (4, 254, 30, 2, -1),
    (5, 46, 266, 1, 1),
    (5, 49, 190, 2, -1),
    (5, 72, 98, 0, 1),
    (6, 2, 17, 0, 1),
    (6, 27, 3, 1, -1),
    (7, 105, 21, 0, -1),
)
"""Image, row, column, channel and by how much a whole number differs from the rounded exact one.

The expected values belong to images that were enlarged by one build of OpenCV; others round a few
pixels in another way, and seeded weights make much of that.
"""

Row = dict[str, str]


def write_dataset(folder: Path, seed: int = 0) -> None:
    """Write both sets."""
    rng = np.random.default_rng([seed, 11])
    rows = [_draw_row(rng, index) for index in range(ROWS)]
    parts = {"eval": rows, "part0": rows[:_FIRST_PART], "part1": rows[_FIRST_PART:]}
    for name, chosen in parts.items():
        for column in ("img", "label", "hw"):
            write_table(folder / f"{name}.{column}.tsv", [[r["key"], r[column]] for r in chosen])
    _write_lines(folder / "eval.linelist.tsv", [str(row) for row in range(ROWS)])
    _write_lines(folder / "train.linelist.tsv", [f"{p}\t{r}" for p, r in COMPOSITE_ORDER])
    columns = ("img", "label", "hw")
    single = [f"{column}: eval.{column}.tsv" for column in columns]
    composite = [f"{column}: [part0.{column}.tsv, part1.{column}.tsv]" for column in columns]
    _write_lines(folder / "eval.yaml", [*single, "linelist: eval.linelist.tsv"])
    head = "composite: true"
    _write_lines(folder / "train.yaml", [head, *composite, "linelist: train.linelist.tsv"])


def write_table(path: Path, rows: Sequence[Sequence[str]]) -> None:
    """Write rows, and an index of their offsets."""
    lines = ["\t".join(row) + "\n" for row in rows]
    starts = np.cumsum([0, *(len(line.encode()) for line in lines)])[:-1]
    path.write_text("".join(lines))
    _write_lines(path.with_suffix(".lineidx"), [str(start) for start in starts])


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines))


def _draw_row(rng: np.random.Generator, index: int) -> Row:
    height, width = (int(rng.integers(low, 320)) for low in (180, 160))
    coarse = rng.integers(0, 255, (9, 9, 3), dtype=np.uint8)
    image = _enlarge(coarse, width, height)
    for _, row, column, channel, difference in (r for r in _ROUNDING if r[0] == index):
        image[row, column, channel] = int(image[row, column, channel]) + difference
    axes = (width // 8, height // 3)
    middle = (width // 2, height // 2)
    cv2.ellipse(image, middle, axes, 10.0 * index, 0, 360, (40, 160, 220), -1)
    return {
        "key": f"sample_{index:03d}.png",
        "img": base64.b64encode(cv2.imencode(".png", image)[1].tobytes()).decode(),
        "label": json.dumps([_draw_label(rng, index, width, height)]),
        "hw": json.dumps([{"height": height, "width": width}]),
    }


def _draw_label(rng: np.random.Generator, index: int, width: int, height: int) -> dict[str, Any]:
    centre = [length / 2 + float(rng.normal(0, 12)) for length in (width, height)]
    flat = rng.uniform(20, min(height, width) - 20, (24, 2))
    flat = np.concatenate([flat, rng.integers(0, 2, (24, 1))], 1)
    joints = np.concatenate([rng.normal(0, 0.4, (24, 3)), np.ones((24, 1))], 1)
    return {
        "center": centre,
        "scale": float(rng.uniform(0.7, 1.4)),
        "has_2d_joints": 1,
        "has_3d_joints": int(index % 4 != 3),
        "has_smpl": int(index % 3 != 2),
        "2d_joints": [flat.tolist()],
        "3d_joints": [joints.tolist()],
        "pose": rng.normal(0, 0.3, 72).tolist(),
        "betas": rng.normal(0, 0.8, 10).tolist(),
        "gender": "none",
    }


def _enlarge(coarse: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Enlarge an image by cubic convolution, as OpenCV's INTER_CUBIC is defined."""
    down, across = (_cubic_weights(len(coarse), length) for length in (height, width))
    exact = np.einsum("hi,ijc,wj->hwc", down, coarse.astype(float), across)
    # Sums that end in .5 must not depend on the order of their terms.
    return np.clip(np.rint(np.round(exact, 6)), 0, 255).astype(np.uint8)


def _cubic_weights(few: int, many: int) -> NDArray[np.float64]:
    """Return (many, few) weights of the coarse samples, with the border repeated."""
    places = (np.arange(many) + 0.5) * few / many - 0.5
    before = np.floor(places).astype(int)
    weights = np.zeros((many, few))
    for step in range(-1, 3):
        reach = np.abs(places - before - step)
        near = (1.25 * reach - 2.25) * reach**2 + 1
        far = -0.75 * (((reach - 5) * reach + 8) * reach - 4)
        column = np.clip(before + step, 0, few - 1)
        np.add.at(weights, (np.arange(many), column), np.where(reach <= 1, near, far))
    return weights
