"""A person before a camera, and all that is true of them."""

import math

import numpy as np
import torch

from smpler_model.body.smpl import Body
from smpler_model.cameras.camera import Camera
from smpler_model.drawing.overlay import bend
from smpler_model.drawing.raster import rasterise
from smpler_model.frames import Frame
from synthetic.truth import GroundTruth, PosedPeople, tell_truth

TALL = np.array([2.0, *np.zeros(9)])
"""A shape that the built-in body shows in its height."""


def see(body: Body, camera: Camera, distance_m: float) -> tuple[Frame, GroundTruth]:
    """Render one tall person, slightly off axis and rotated, with depth."""
    turned = math.radians(150)
    facing = np.array(
        [
            [math.cos(turned), 0, math.sin(turned)],
            [0, -1, 0],
            [math.sin(turned), 0, -math.cos(turned)],
        ]
    )
    rotations = np.broadcast_to(np.eye(3), (1, 24, 3, 3)).copy()
    rotations[0, 0] = facing
    place = np.array([[0.2, 0.1, distance_m]])
    betas = TALL[None]
    with torch.inference_mode():
        mesh = body.mesh(torch.from_numpy(rotations).float(), torch.from_numpy(betas).float())
    vertices = mesh.vertices.double().numpy() + place[:, None]
    joints = mesh.joints.double().numpy() + place[:, None]
    intrinsics = (camera.fx, camera.fy, camera.cx, camera.cy)
    size = (camera.width, camera.height)
    raster = rasterise(bend(vertices[0], camera), body.faces.numpy(), intrinsics, size)
    shown = raster.mask().astype(np.int32)
    people = PosedPeople(np.array([1]), rotations, betas, place, joints, vertices)
    truth = tell_truth(people, shown, camera, np.eye(4))
    rgb = np.zeros((camera.height, camera.width, 3), np.uint8)
    return Frame(rgb, 0, "optical", camera, raster.depth_map()), truth
