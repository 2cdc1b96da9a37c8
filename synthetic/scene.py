"""A room with people, as a camera sees it over time, with ground truth.

A scene is a function of time: the same seed and timestamp give the same frame, whatever was
rendered before. It is rendered by the NumPy rasteriser with vertex colours, which is fast enough
for a live camera.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator

from smpler_model.array_types import Floats
from smpler_model.body.normals import vertex_normals
from smpler_model.body.smpl import Body
from smpler_model.cameras.camera import Camera
from smpler_model.drawing.raster import Raster, rasterise
from smpler_model.drawing.shading import blend, merge_people, shade
from smpler_model.frames import Frame
from synthetic.camera.cameras import look_at
from synthetic.camera.lens import LensCanvas
from synthetic.noise import make_volume, srgb_from_linear
from synthetic.people.appearance import draw_outfits, make_atlas
from synthetic.people.casting import draw_motion
from synthetic.people.motions import Motion
from synthetic.scene_kinds import Background, CameraMotion
from synthetic.truth import PosedPeople, SceneFrame, tell_truth
from synthetic.world.background import render_rooms
from synthetic.world.lighting import draw_lights
from synthetic.world.painting import paint, thicken
from synthetic.world.rooms import draw_rooms

_NS = 1e-9
_LEAST_ROOM_M = ((-4.2, -5.5, 0.0), (3.2, 5.5, 2.5))
_MOVING_SHRINK = 4  # a moving camera's room is rendered at this fraction of the resolution
_GREY = 128
_BODY_MARGIN_M = 0.4  # a clothed body extends at most this far from its joints' bounding box
_NEAREST_M = 0.05
_PAN_RAD, _DRIVE_M, _SWAY_HZ = 0.35, 0.6, 0.1


class SyntheticScene:
    """People in a room, seen by a camera."""

    def __init__(
        self,
        body: Body,
        camera: Camera,
        *,
        people: int = 3,
        seed: int = 0,
        duration_s: float = 30.0,
        empty_s: float = 0.0,
        camera_motion: CameraMotion = "still",
        background: Background = "room",
        frame_id: str = "camera_optical_frame",
    ) -> None:
        """Draw a room, people and their motions.

        Args:
            body: body model of all people, who differ in shape.
            camera: intrinsics and lens.
            people: number of people; not all are always in view.
            seed: random seed of everything.
            duration_s: period after which everything repeats.
            empty_s: time for which the room is empty at the start of each period, in which motion
                detectors learn the background.
            camera_motion: whether the camera is still, pans, or drives back and forth.
            background: a room, or plain grey.
            frame_id: the camera's optical frame.

        Raises:
            ValueError: an invalid number.
        """
        if people < 0 or duration_s <= 0 or empty_s < 0:
            raise ValueError(
                "people must be 0 or more, duration_s positive and empty_s 0 or more, got "
                f"{people}, {duration_s} and {empty_s}"
            )
        self.body, self.camera, self.frame_id = body, camera, frame_id
        self._canvas = LensCanvas(camera)
        self.duration_s, self.empty_s, self.camera_motion = duration_s, empty_s, camera_motion
        self.background = background
        generator = Generator().manual_seed(seed)
        self._volume = make_volume(generator)
        rooms = draw_rooms(1, generator, outdoors=0.0)
        # Wide enough for people to wait outside the view.
        self._rooms = replace(
            rooms,
            low=torch.minimum(rooms.low, torch.tensor(_LEAST_ROOM_M[0])),
            high=torch.maximum(rooms.high, torch.tensor(_LEAST_ROOM_M[1])),
        )
        self._place = np.array([-3.6, 0.3, 1.0 + 0.8 * float(torch.rand((), generator=generator))])
        up = torch.from_numpy(self.world_from_camera(0)[2, :3]).float()[None]
        self._lights = draw_lights(up, generator)
        self.motions: list[Motion] = [
            draw_motion(body, index, duration_s, generator) for index in range(people)
        ]
        self._bake_looks(people, generator)

    def frame(self, stamp_ns: int, *, depth: bool = False) -> SceneFrame:
        """Render the frame at a timestamp, nanoseconds.

        Args:
            stamp_ns: timestamp of the frame.
            depth: whether to render a depth image, aligned and without noise.
        """
        pose = self.world_from_camera(stamp_ns)
        people = self._pose_people(stamp_ns, pose)
        rgb, shown, depth_m = self._draw(people, pose)
        truth = tell_truth(people, shown, self.camera, pose)
        measured = self._canvas.bend_depth(depth_m) if depth else None
        frame = Frame(rgb, stamp_ns, self.frame_id, self.camera, measured)
        told = np.zeros(len(self.motions) + 1, np.int32)
        told[truth.ids] = truth.ids
        return SceneFrame(frame, truth, told[shown])

    def world_from_camera(self, stamp_ns: int) -> Floats:
        """Return the camera's pose (4, 4) at a timestamp: z up, the floor at 0."""
        time_s = stamp_ns * _NS % self.duration_s
        # An integer number of swings, so that the end joins the start.
        swings = max(round(_SWAY_HZ * self.duration_s), 1)
        sway = math.sin(2 * math.pi * swings * time_s / self.duration_s)
        place, yaw = self._place.copy(), 0.0
        if self.camera_motion == "pan":
            yaw = _PAN_RAD * sway
        elif self.camera_motion == "drive":
            place += (_DRIVE_M * sway, 0.4 * _DRIVE_M * sway, 0.0)
        ahead = np.array([math.cos(yaw), math.sin(yaw), 0.0]) * -self._place[0]
        target = place + ahead + (0.0, 0.0, 0.85 - place[2])
        look = look_at(torch.from_numpy(place)[None], torch.from_numpy(target)[None])
        return np.asarray(look[0].numpy(), np.float64)

    def _bake_looks(self, people: int, generator: Generator) -> None:
        """Compute all people's vertex colours (n, v, 3), 0 to 255, and clothes' thickness."""
        body = self.body
        atlas = make_atlas(body.v_template, body.weights, body.J_regressor @ body.v_template)
        v = len(body.v_template)
        outfits = draw_outfits(max(people, 1), generator)
        self._thickness = thicken(atlas, outfits, self._volume).numpy().astype(np.float64)
        coordinates = atlas.coordinates.repeat(len(self._thickness), 1)
        owner = torch.arange(len(self._thickness)).repeat_interleave(v)
        albedo = srgb_from_linear(paint(coordinates, outfits, owner, self._volume).albedo)
        self._colours = 255 * albedo.view(-1, v, 3).numpy()
        self._faces = body.faces.numpy().astype(np.int64)

    @torch.no_grad()
    def _pose_people(self, stamp_ns: int, pose: Floats) -> PosedPeople:
        """Return the people who may be at least partly in view."""
        time_s = stamp_ns * _NS % self.duration_s
        turned = pose[:3, :3].T
        rotations = np.empty((len(self.motions), 24, 3, 3))
        world = np.empty((len(self.motions), 3))
        for row, motion in enumerate(self.motions):
            rotations[row], world[row] = motion.at(time_s)
            rotations[row, 0] = turned @ rotations[row, 0]
        betas = np.array([motion.betas for motion in self.motions]).reshape(-1, 10)
        local = (
            self.body.joints(torch.from_numpy(rotations).float(), torch.from_numpy(betas).float())
            .double()
            .numpy()
        )
        # Bodies are turned about their pelvises, which do not lie at SMPL's origin.
        pelvises = local[:, 0]
        translations = (world + pelvises - pose[:3, 3]) @ turned.T - pelvises
        seen = self._may_see(local + translations[:, None])
        rows = np.flatnonzero(seen & (time_s >= self.empty_s))
        rotations, translations, betas = rotations[rows], translations[rows], betas[rows]
        mesh = self.body.mesh(torch.from_numpy(rotations).float(), torch.from_numpy(betas).float())
        return PosedPeople(
            ids=rows + 1,
            rotations=rotations,
            betas=betas,
            translations_m=translations,
            joints_m=mesh.joints.double().numpy() + translations[:, None],
            vertices_m=mesh.vertices.double().numpy() + translations[:, None],
        )

    def _may_see(self, joints: Floats) -> NDArray[np.bool_]:
        """Return (p,) whether anything near joints (p, 24, 3) may be in the image."""
        c = self._canvas.pinhole
        low, high = (
            joints.min(1) - _BODY_MARGIN_M,
            joints.max(1) + _BODY_MARGIN_M,
        )  # (p, 3) of boxes
        far = np.maximum(high[:, 2:], _NEAREST_M)
        near = np.maximum(low[:, 2:], _NEAREST_M)
        edges = np.array([[-c.cx - 1, -c.cy - 1], [c.width - c.cx, c.height - c.cy]])
        first, last = edges / (c.fx, c.fy)  # of the image, at a depth of one metre
        # The field of view widens with depth, on the left and on the right.
        left, right = np.minimum(first * near, first * far), np.maximum(last * near, last * far)
        inside = (high[:, :2] > left) & (low[:, :2] < right)
        seen: NDArray[np.bool_] = inside.all(1) & (high[:, 2] > _NEAREST_M)
        return seen

    def _draw(
        self, people: PosedPeople, pose: Floats
    ) -> tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.float32]]:
        """Return image and each pixel's person (0 for none), with lens distortion; and depth.

        The depth image, in metres, is the pinhole's.
        """
        image, depth_m = self._backdrop(pose)
        shown = np.zeros(image.shape[:2], np.int32)
        if len(people.ids):
            seen, normals, colours = self._rasterise(people.vertices_m, people.ids - 1)
            before = seen.depth < depth_m.reshape(-1)[seen.pixel]
            seen = Raster(
                seen.size,
                seen.pixel[before],
                seen.triangle[before],
                seen.depth[before],
                seen.barycentric[before],
            )
            image = blend(image, seen, shade(colours[before], normals[before]))
            shown.reshape(-1)[seen.pixel] = people.ids[seen.triangle // len(self._faces)]
            depth_m = depth_m.copy()
            depth_m.reshape(-1)[seen.pixel] = seen.depth
        return self._canvas.bend(image), self._canvas.bend_labels(shown), depth_m

    def _rasterise(
        self, vertices: Floats, people: NDArray[np.intp]
    ) -> tuple[Raster, NDArray[np.float32], NDArray[np.float32]]:
        """Return the visible parts of clothed people, with normals and colours at the pixels."""
        skin_mesh, corners = merge_people(vertices, self._faces)
        normals = vertex_normals(skin_mesh, corners)
        clothed = skin_mesh + self._thickness[people].reshape(-1, 1) * normals
        c = self._canvas.pinhole
        seen = rasterise(clothed, corners, (c.fx, c.fy, c.cx, c.cy), (c.width, c.height))
        attributes = np.hstack((normals, self._colours[people].reshape(-1, 3)))
        values = seen.interpolate(corners, attributes)
        return seen, values[:, :3], values[:, 3:]

    def _backdrop(self, pose: Floats) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        return (
            self._still_backdrop
            if self.camera_motion == "still"
            else self._render_room(pose, _MOVING_SHRINK)
        )

    @cached_property
    def _still_backdrop(self) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        return self._render_room(self.world_from_camera(0), 1)

    @torch.no_grad()
    def _render_room(
        self, pose: Floats, shrink: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        c = self._canvas.pinhole
        if self.background == "plain":
            grey = np.full((c.height, c.width, 3), _GREY, np.uint8)
            return grey, np.full((c.height, c.width), np.inf, np.float32)
        room = render_rooms(
            self._rooms,
            self._lights,
            torch.tensor([[c.fx, c.fy, c.cx, c.cy]]),
            torch.from_numpy(pose).float()[None],
            (c.width, c.height),
            self._volume,
            shrink=shrink,
        )
        colour = (255 * srgb_from_linear(room.colour[0])).permute(1, 2, 0)
        image = np.ascontiguousarray(colour.numpy().astype(np.uint8))
        return image, room.depth_m[0].numpy()
