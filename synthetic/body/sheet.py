"""Contact sheet of the built-in body: `python -m synthetic.body.sheet body.png`.

First row: four views at rest. Then ten poses, then the ten shape directions at -2 and +2.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch

from smpler_model.array_types import Floats, RgbImage
from smpler_model.body.builtin import BUILTIN_BODY_PATH
from smpler_model.body.smpl import Body
from smpler_model.body.smpl_file import load_smpl_file
from smpler_model.drawing.shading import draw_people
from synthetic.body.poses import POSES, pose_rotations
from synthetic.body.shapes import SHAPE_DIRECTIONS

_DISTANCE_M = 12.0
_SHOWN_M = 2.3
_SKIN = (214, 196, 184)
_OVERSAMPLING = 2


def posed_vertices(body: Body, pose: str | None = None, betas: Floats | None = None) -> Floats:
    """Return vertices (6890, 3), m, in a pose of `poses` (default: rest) with betas (10,)."""
    rotations = np.tile(np.eye(3), (24, 1, 1)) if pose is None else pose_rotations(pose)
    shape = np.zeros(10) if betas is None else betas
    with torch.no_grad():
        mesh = body.mesh(
            torch.tensor(rotations[None], dtype=torch.float32),
            torch.tensor(shape[None], dtype=torch.float32),
        )
    return mesh.vertices[0].numpy().astype(np.float64)


def draw_tile(
    vertices: Floats, faces: Floats, text: str, *, turn: float = 0.0, size: tuple[int, int]
) -> RgbImage:
    """Draw a body.

    Args:
        vertices: (v, 3), m, SMPL's axes.
        faces: Triangles (f, 3).
        text: Caption.
        turn: rotation of the body to its left, degrees.
        size: Width and height, pixels; the height shows 2.3 m.
    """
    width, height = (side * _OVERSAMPLING for side in size)
    angle = np.radians(turn)
    cosine, sine = np.cos(angle), np.sin(angle)
    turned = vertices @ np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])
    middle = (turned.max(axis=0) + turned.min(axis=0)) / 2
    in_camera = (turned - middle) * np.array([1.0, -1.0, -1.0]) + np.array([0, 0, _DISTANCE_M])
    focal = height * _DISTANCE_M / _SHOWN_M
    picture: RgbImage = np.full((height, width, 3), 250, np.uint8)
    picture = draw_people(
        picture,
        in_camera[None],
        faces,
        (focal, focal, (width - 1) / 2, (height - 1) / 2),
        np.array([_SKIN]),
        opacity=1.0,
    )
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    cv2.putText(small, text, (6, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (40, 40, 40), 1, cv2.LINE_AA)
    return np.asarray(small, np.uint8)


def draw_sheet(body: Body) -> RgbImage:
    """Draw the whole contact sheet, RGB."""
    faces = body.faces.numpy()
    rest = posed_vertices(body)
    sides = (("front", 0.0, 430), ("left", -90.0, 220), ("back", 180.0, 430), ("right", 90.0, 220))
    rows = [[draw_tile(rest, faces, text, turn=turn, size=(w, 480)) for text, turn, w in sides]]
    poses = [
        draw_tile(posed_vertices(body, name), faces, name, turn=28.0, size=(260, 360))
        for name in POSES
    ]
    rows += [poses[:5], poses[5:]]
    shapes = []
    for number, direction in enumerate(SHAPE_DIRECTIONS):
        for value in (-2.0, 2.0):
            vertices = posed_vertices(body, "standing", value * np.eye(10)[number])
            text = f"{direction.name} {value:+.0f}"
            shapes.append(draw_tile(vertices, faces, text, turn=28.0, size=(130, 260)))
    rows += [shapes[:10], shapes[10:]]
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def main() -> None:
    """Write the contact sheet."""
    parser = argparse.ArgumentParser(description="Draw the built-in body from all sides.")
    parser.add_argument("path", type=Path, help="PNG to write")
    parser.add_argument("--body", type=Path, default=BUILTIN_BODY_PATH, help="body to draw")
    arguments = parser.parse_args()
    sheet = draw_sheet(Body(load_smpl_file(arguments.body)))
    cv2.imwrite(str(arguments.path), sheet[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
