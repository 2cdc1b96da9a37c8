"""People with random numbers in every field."""

from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from smpler_model.cameras.camera import Camera
from smpler_model.frames import CameraPose, FrameResult, People, WorldMotion

CAMERA = Camera(640, 480, 500, 500, 319.5, 239.5)


def random_people(
    n: int, *, vertices: int = 0, seed: int = 0, has_details: bool = False
) -> People:
    """Return n people, with meshes of this many vertices if any.

    With details, confidences, feet and motion are known; only of the first person's left foot
    is nothing known.
    """
    generator = np.random.default_rng(seed)

    def numbers(*shape: int) -> np.ndarray:
        return generator.normal(size=(n, *shape))

    rotations = Rotation.random(24 * n, random_state=seed).as_matrix() if n else np.empty(0)
    details: dict[str, Any] = {}
    if has_details:
        details = {
            "joint_confidences": generator.uniform(size=(n, 24)),
            "foot_contacts": generator.uniform(size=(n, 2)),
            "footprints_m": numbers(3),
            "motion": WorldMotion(
                numbers(3), numbers(3, 3), numbers(3), numbers(3, 3), generator.uniform(-3, 3, n)
            ),
        }
        details["foot_contacts"][:1, 0] = np.nan
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
        **details,
    )


def random_result(
    n: int, *, vertices: int = 0, seed: int = 0, has_details: bool = False
) -> FrameResult:
    """Return a frame with n people; with details, the camera's pose and the floor are known."""
    people = random_people(n, vertices=vertices, seed=seed, has_details=has_details)
    place: dict[str, Any] = {}
    if has_details:
        matrix = np.eye(4)
        matrix[:3, :3] = Rotation.random(random_state=seed).as_matrix()
        matrix[:3, 3] = 1.5, -2.5, 0.75
        floor = np.array([*(matrix[2, :3]), matrix[2, 3]])
        place = {"pose": CameraPose("map", matrix), "floor": floor}
    return FrameResult(17_000_000_005, "camera", CAMERA, people, **place)


def chain_positions(frames: dict[str, tuple[str, np.ndarray]], name: str, root: str) -> np.ndarray:
    """Return the (4, 4) transform root_from_name by walking up a tree of (parent, matrix)."""
    matrix = np.eye(4)
    while name != root:
        name, parent_from_child = frames[name]
        matrix = parent_from_child @ matrix
    return matrix
