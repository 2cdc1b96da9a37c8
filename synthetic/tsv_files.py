"""Synthetic people in the TSV layout of the released data sets.

`NAME.img.tsv` has a key and an image in base64 per row, `NAME.label.tsv` the key and labels in
JSON, `NAME.hw.tsv` the key and the image's size; a `.lineidx` file next to each contains the byte
offset of each row. `NAME.linelist.tsv` lists the rows to use, and `NAME.yaml` names the files.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Generator

from smpler_model.body.skeleton import H36M_EVALUATED, LABELLED_EVALUATED, LABELLED_JOINTS
from smpler_model.body.smpl import Body
from synthetic.camera.cameras import project
from synthetic.crops import CropRenderer, DrawnCrops

_BATCH = 16
_JPEG_QUALITY = 95
_SCALE_PX = 200  # a scale of 1 is a person in a square of this many pixels
_MARGIN = 1.2
_ROW_OF_H36M = {"pelvis": 0, "spine": 7, "nose": 9}  # labelled joints besides the evaluated
COLUMNS = ("img", "label", "hw")


def write_tsv_dataset(
    folder: str | Path, name: str, renderer: CropRenderer, people: int, seed: int
) -> Path:
    """Render people and write them as a data set, one person per image.

    Joints that the built-in body does not define (top of the head, thorax, jaw, eyes, ears) have
    confidence 0.

    Args:
        folder: folder for the files; created if missing.
        name: name of the files.
        renderer: renders the images; they have the size of its crops.
        people: number of rows.
        seed: random seed of everything.

    Returns:
        Path of the YAML file.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    generator = Generator().manual_seed(seed)
    rows: dict[str, list[str]] = {column: [] for column in COLUMNS}
    for start in range(0, people, _BATCH):
        crops = renderer.draw(_BATCH, generator)[slice(people - start)]
        for offset, label in enumerate(make_labels(renderer.body, crops)):
            key = f"{name}_{start + offset:06d}.jpg"
            height, width = crops.images.shape[2:]
            size = {"height": height, "width": width}
            rows["img"].append(f"{key}\t{_encode(crops.images[offset].permute(1, 2, 0).numpy())}")
            rows["label"].append(f"{key}\t{json.dumps([label])}")
            rows["hw"].append(f"{key}\t{json.dumps([size])}")
    for column, lines in rows.items():
        _write_rows(folder / f"{name}.{column}.tsv", lines)
    (folder / f"{name}.linelist.tsv").write_text("".join(f"{i}\n" for i in range(people)))
    lines = [f"{column}: {name}.{column}.tsv\n" for column in (*COLUMNS, "linelist")]
    path = folder / f"{name}.yaml"
    path.write_text("".join(lines))
    return path


@torch.no_grad()
def make_labels(body: Body, crops: DrawnCrops) -> list[dict[str, Any]]:
    """Return the labels of crops, one dictionary each, under the released fields' names.

    Joints in the image are in pixels; those in space are in metres, in the camera's axes, relative
    to the regressed pelvis; the pose is the 72 numbers of the axis-angle vectors, rad.
    """
    vertices = body.mesh(crops.rotations, crops.betas).vertices
    h36m = body.h36m_joints(vertices)
    placed = crops.translation_m[:, None]
    flat = project(vertices + placed, crops.intrinsics)
    low, high = flat.amin(1), flat.amax(1)
    centres = (low + high) / 2
    scales = _MARGIN * (high - low).amax(1) / _SCALE_PX
    pixels = _labelled(project(h36m + placed, crops.intrinsics).numpy())
    joints = _labelled((h36m - h36m[:, :1]).numpy())
    vectors = Rotation.from_matrix(crops.rotations.flatten(0, 1).numpy()).as_rotvec()
    poses = vectors.reshape(len(crops), -1)
    return [
        {
            "center": centres[row].tolist(),
            "scale": float(scales[row]),
            "has_2d_joints": 1,
            "has_3d_joints": 1,
            "has_smpl": 1,
            "2d_joints": [pixels[row].tolist()],
            "3d_joints": [joints[row].tolist()],
            "pose": poses[row].tolist(),
            "betas": crops.betas[row].tolist(),
            "gender": "none",
        }
        for row in range(len(crops))
    ]


def _labelled(h36m: NDArray[np.float32]) -> NDArray[np.float32]:
    """Order (b, 17, c) joints as `LABELLED_JOINTS`, with their confidence: (b, 24, c + 1)."""
    b, _, c = h36m.shape
    labelled = np.zeros((b, len(LABELLED_JOINTS), c + 1), np.float32)
    targets = list(LABELLED_EVALUATED) + [LABELLED_JOINTS.index(name) for name in _ROW_OF_H36M]
    sources = list(H36M_EVALUATED) + list(_ROW_OF_H36M.values())
    labelled[:, targets, :c] = h36m[:, sources]
    labelled[:, targets, c] = 1
    return labelled


def _encode(rgb: NDArray[np.uint8]) -> str:
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return base64.b64encode(data.tobytes()).decode()


def _write_rows(path: Path, rows: list[str]) -> None:
    """Write rows, and an index of their byte offsets."""
    lines = [f"{row}\n".encode() for row in rows]
    starts = np.cumsum([0, *map(len, lines)])[:-1]
    path.write_bytes(b"".join(lines))
    path.with_suffix(".lineidx").write_text("".join(f"{start}\n" for start in starts))
