"""People with random numbers in every field."""

import numpy as np
from scipy.spatial.transform import Rotation

from smpler_model.cameras.camera import Camera
from smpler_model.frames import FrameResult, People

CAMERA = Camera(640, 480, 500, 500, 319.5, 239.5)


def random_people(n: int, *, vertices: int = 0, seed: int = 0) -> People:
    """Return n people, with meshes of this many vertices if any."""
    generator = np.random.default_rng(seed)

    def numbers(*shape: int) -> np.ndarray:
        return generator.normal(size=(n, *shape))

    rotations = Rotation.random(24 * n, random_state=seed).as_matrix() if n else np.empty(0)
    return People(
        ids=100 + 7 * np.arange(n),
        states=generator.integers(0, 3, n).astype(np.uint8),
        scores=generator.uniform(size=n),
        boxes_xyxy=100 * numbers(4),
        rotations=rotations.reshape(n, 24, 3, 3),
        betas=numbers(10),
        translations_m=numbers(3),
        covariances_m2=numbers(3, 3),
        sources=generator.integers(0, 3, n).astype(np.uint8),
        weak_cameras=numbers(3),
        joints_m=numbers(24, 3),
        keypoints_px=100 * numbers(24, 2),
        vertices_m=numbers(vertices, 3).astype(np.float32) if vertices else None,
    )


def random_result(n: int, *, vertices: int = 0, seed: int = 0) -> FrameResult:
    """Return a frame with n people."""
    return FrameResult(
        17_000_000_005, "camera", CAMERA, random_people(n, vertices=vertices, seed=seed)
    )


def chain_positions(frames: dict[str, tuple[str, np.ndarray]], name: str, root: str) -> np.ndarray:
    """Return the (4, 4) transform root_from_name by walking up a tree of (parent, matrix)."""
    matrix = np.eye(4)
    while name != root:
        name, parent_from_child = frames[name]
        matrix = parent_from_child @ matrix
    return matrix
