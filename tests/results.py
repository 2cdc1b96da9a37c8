"""Results that no network is needed for."""

import numpy as np

from smpler_model.cameras.camera import Camera
from smpler_model.frames import FrameResult, People, TrackState, TranslationSource


def make_people(
    translations_m: np.ndarray,
    camera: Camera,
    *,
    ids: list[int] | None = None,
    vertices_m: np.ndarray | None = None,
    source: TranslationSource = TranslationSource.BODY_SIZE,
    state: TrackState = TrackState.CONFIRMED,
) -> People:
    """Return people at (n, 3), each a column of joints one metre high; vertices (v, 3)."""
    n = len(translations_m)
    rows = np.linspace(-0.5, 0.5, 24)
    joints = np.column_stack([np.zeros(24), rows, np.zeros(24)]) - (0, rows[0], 0)
    joints_m = translations_m[:, None] + joints
    keypoints = camera.project(joints_m)
    boxes = np.concatenate([keypoints.min(1) - 10, keypoints.max(1) + 10], 1)
    vertices = None if vertices_m is None else translations_m[:, None] + vertices_m
    return People(
        ids=np.arange(n) if ids is None else np.array(ids, np.int64),
        states=np.full(n, state, np.uint8),
        scores=np.full(n, 0.9),
        boxes_xyxy=boxes,
        rotations=np.broadcast_to(np.eye(3), (n, 24, 3, 3)).copy(),
        betas=np.zeros((n, 10)),
        translations_m=translations_m,
        covariances_m2=np.broadcast_to(np.eye(3) * 0.01, (n, 3, 3)).copy(),
        sources=np.full(n, source, np.uint8),
        weak_cameras=np.ones((n, 3)),
        joints_m=joints_m,
        keypoints_px=keypoints,
        vertices_m=None if vertices is None else vertices.astype(np.float32),
    )


def make_result(people: People, camera: Camera, stamp_ns: int = 0) -> FrameResult:
    return FrameResult(stamp_ns, "optical", camera, people, {"detect": 1.0, "estimate": 2.0})
