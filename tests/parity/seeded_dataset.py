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

ROWS = 8
COMPOSITE_ORDER = ((0, 4), (1, 0), (0, 1), (1, 2), (0, 0), (1, 1), (0, 2), (0, 3))
_FIRST_PART = 5

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
    """Write rows and where each begins."""
    lines = ["\t".join(row) + "\n" for row in rows]
    starts = np.cumsum([0, *(len(line.encode()) for line in lines)])[:-1]
    path.write_text("".join(lines))
    _write_lines(path.with_suffix(".lineidx"), [str(start) for start in starts])


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines))


def _draw_row(rng: np.random.Generator, index: int) -> Row:
    height, width = (int(rng.integers(low, 320)) for low in (180, 160))
    coarse = rng.integers(0, 255, (9, 9, 3), dtype=np.uint8)
    image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
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
