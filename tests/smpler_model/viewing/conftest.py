"""A page, and people to show on it."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from smpler_model.body.arrays import BodyArrays
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.cameras.camera import Camera
from smpler_model.cameras.frame_tree import level_camera
from smpler_model.frames import People
from smpler_model.viewing.moments import Moment
from smpler_model.viewing.page import Page, open_page
from synthetic.people.poses import draw_poses

CAMERA = Camera(640, 480, 500, 500, 319.5, 239.5)


@pytest.fixture(scope="session")
def builtin() -> BodyArrays:
    return load_builtin_body()


@pytest.fixture
def page() -> Iterator[Page]:
    pytest.importorskip("viser", reason="needs the group `viewer`: run `make setup`")
    with open_page("test", "localhost", 0) as page:
        yield page


def posed_people(body: Body, n: int, *, seed: int = 0, step_m: float = 1.0) -> People:
    """Return n people of different shapes and poses in a row in front of the camera."""
    generator = torch.Generator().manual_seed(seed)
    rotations = draw_poses(n, generator)
    betas = torch.randn(n, 10, generator=generator)
    # Bodies' y is up, that of the optical frame is down.
    rotations[:, 0] = torch.diag(torch.tensor([1.0, -1, -1])) @ rotations[:, 0]
    with torch.inference_mode():
        mesh = body.mesh(rotations, betas)
    places = np.column_stack([step_m * (np.arange(n) - (n - 1) / 2), np.zeros(n), np.full(n, 4)])
    joints = mesh.joints.double().numpy() + places[:, None]
    return People(
        ids=np.arange(n) + 3,
        states=np.ones(n, np.uint8),
        scores=np.ones(n),
        boxes_xyxy=np.zeros((n, 4)),
        rotations=rotations.double().numpy(),
        betas=betas.double().numpy(),
        translations_m=places,
        covariances_m2=np.tile(np.diag([0.01, 0.02, 0.09]), (n, 1, 1)),
        sources=np.zeros(n, np.uint8),
        weak_cameras=np.ones((n, 3)),
        joints_m=joints,
        keypoints_px=CAMERA.project(joints),
        vertices_m=mesh.vertices.numpy() + places[:, None].astype(np.float32),
    )


def moment_of(people: People, stamp_ns: int = 0, truth: People | None = None) -> Moment:
    return Moment(stamp_ns, CAMERA, people, level_camera(1.2, 0.0), truth=truth)
