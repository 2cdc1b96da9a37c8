"""Small closed meshes with outward normals, built by formula."""

import numpy as np
import torch
from torch import Tensor

BONES = (  # joint, end of its bone, radius; SMPL's rest pose, roughly
    *((0, (0.0, -0.12, 0.0), 0.14), (3, (0.0, 0.0, 0.0), 0.14), (6, (0.0, 0.1, 0.0), 0.15)),
    *((9, (0.0, 0.24, 0.0), 0.15), (12, (0.0, 0.33, 0.0), 0.06), (15, (0.0, 0.5, 0.02), 0.09)),
)
LEFT_BONES = (
    *((1, 4, 0.08), (4, 7, 0.06), (7, 10, 0.05)),
    *((13, 16, 0.06), (16, 18, 0.05), (18, 20, 0.04), (20, 22, 0.04)),
)
LEFT_JOINTS = {
    **{1: (0.07, -0.31, 0.0), 4: (0.1, -0.69, 0.0), 7: (0.1, -1.08, 0.0), 10: (0.1, -1.13, 0.1)},
    **{13: (0.07, 0.2, 0.0), 16: (0.18, 0.21, 0.0), 18: (0.43, 0.21, 0.0), 20: (0.69, 0.21, 0.0)},
    22: (0.78, 0.21, 0.0),
}
MIDDLE_JOINTS = {
    **{0: (0.0, -0.22, 0.0), 3: (0.0, -0.11, 0.0), 6: (0.0, 0.02, 0.0), 9: (0.0, 0.07, 0.0)},
    **{12: (0.0, 0.25, 0.0), 15: (0.0, 0.34, 0.0)},
}


def make_sphere(rings: int = 16, sectors: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Return the unit sphere's vertices (v, 3) and faces (f, 3)."""
    polar = np.linspace(0, np.pi, rings + 1)[1:-1, None]
    turn = np.linspace(0, 2 * np.pi, sectors, endpoint=False)
    rows = [np.sin(polar) * np.cos(turn), np.cos(polar) + 0 * turn, np.sin(polar) * np.sin(turn)]
    vertices = np.concatenate((np.stack(rows, -1).reshape(-1, 3), [[0, 1, 0], [0, -1, 0]]))
    a = np.arange(rings - 2)[:, None] * sectors + np.arange(sectors)
    b = np.arange(rings - 2)[:, None] * sectors + (np.arange(sectors) + 1) % sectors
    quads = [np.stack((a, b, b + sectors), -1), np.stack((a, b + sectors, a + sectors), -1)]
    first, last = (np.arange(sectors), (np.arange(sectors) + 1) % sectors), (rings - 2) * sectors
    north, south = len(vertices) - 2, len(vertices) - 1
    caps = [
        np.stack((np.full(sectors, north), first[1], first[0]), -1),
        np.stack((np.full(sectors, south), last + first[0], last + first[1]), -1),
    ]
    faces = np.concatenate([quad.reshape(-1, 3) for quad in quads] + caps)
    return vertices, faces


def make_figure() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return a figure of ellipsoids on SMPL's joints: vertices, faces, weights, joints."""
    joints = np.zeros((24, 3))
    for joint, place in MIDDLE_JOINTS.items():
        joints[joint] = place
    for joint, place in LEFT_JOINTS.items():
        joints[joint], joints[joint + 1] = place, np.array(place) * [-1, 1, 1]
    bones = [(j, joints[j], np.array(end), radius) for j, end, radius in BONES]
    for joint, end, radius in LEFT_BONES:
        bones.append((joint, joints[joint], joints[end], radius))
        bones.append((joint + 1, joints[joint + 1], joints[end + 1], radius))
    sphere, faces = make_sphere(8, 12)
    all_vertices, all_faces, owners = [], [], []
    for joint, start, end, radius in bones:
        axis = (end - start) / 2
        stretch = np.eye(3) * radius
        unit = axis / np.linalg.norm(axis)
        stretch += np.outer(unit, unit) * np.linalg.norm(axis)
        all_faces.append(faces + len(sphere) * len(all_vertices))
        all_vertices.append(sphere @ stretch + (start + end) / 2)
        owners += [joint] * len(sphere)
    # A nose, so that the face can be found.
    all_vertices.append(0.012 * sphere + [0.0, 0.4, 0.115])
    all_faces.append(faces + len(sphere) * len(bones))
    owners += [15] * len(sphere)
    weights = np.eye(24)[owners]
    return (
        torch.tensor(np.concatenate(all_vertices), dtype=torch.float32),
        torch.tensor(np.concatenate(all_faces)),
        torch.tensor(weights, dtype=torch.float32),
        torch.tensor(joints, dtype=torch.float32),
    )
