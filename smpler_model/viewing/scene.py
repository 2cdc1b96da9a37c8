"""People and their cameras as objects in the scene of a page."""

import math
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from smpler_model.array_types import Floats
from smpler_model.drawing.overlay import label_of
from smpler_model.drawing.palette import colours_of
from smpler_model.frames import People
from smpler_model.viewing.camera_view import CAMERA, CameraView
from smpler_model.viewing.choices import Choices
from smpler_model.viewing.mesh_removal import MeshRemoval
from smpler_model.viewing.moments import Moment, Shot
from smpler_model.viewing.person import PersonView
from smpler_model.viewing.surfaces import SkinnedSurface

if TYPE_CHECKING:
    import viser

Trail = Mapping[int, Sequence[Floats]]
"""Each person's past positions (3,) in the world, by id."""

OTHERS = "/cameras"
"""Path in the scene of the cameras of people of several."""

_TRUE_COLOUR = (240, 240, 240)
_TRUE_OPACITY = 0.6
_PELVIS = 0
_FLOOR_COLOUR = (205, 208, 214)
_FIELD_OF_VIEW_RAD = math.radians(55)  # vertical, of the eye behind the camera
_PITCH_RAD = math.radians(30)  # of the eye that sees several cameras
_SHOWN_M = 3.0  # before each camera


class Scene:
    """The 3D scene of a page.

    State: the last moment, and its people's objects. Safe to call from several threads.

    Attributes:
        choices: which parts are shown; call `refresh` after a change.
    """

    def __init__(self, server: "viser.ViserServer", surface: SkinnedSurface) -> None:
        """Prepare an empty scene.

        Args:
            server: server of the page.
            surface: body of the people.
        """
        self.choices = Choices()
        self._server, self._surface = server, surface
        self._lock = threading.Lock()
        # Shadows take most of the rendering time without a GPU.
        server.scene.configure_default_lights(cast_shadow=False)
        self._camera = CameraView(server.scene)
        self._others: dict[str, CameraView] = {}
        self._floor = server.scene.add_grid(
            "/floor",
            infinite_grid=True,
            cell_size=0.5,
            section_size=1.0,
            cell_color=_FLOOR_COLOUR,
            section_color=_FLOOR_COLOUR,
            fade_distance=30.0,
            fade_strength=2.0,
            shadow_opacity=0.0,
        )
        self._removal = MeshRemoval(server.scene)
        self._people: dict[int, PersonView] = {}
        self._truth: dict[int, PersonView] = {}
        self._last: tuple[Moment, Trail] | None = None
        self._placed_for = -1  # cameras that the first viewpoint shows; -1 before the first moment

    def show(self, moment: Moment, trails: Trail, *, exact: bool = False) -> None:
        """Show an image and its people in place of the previous ones.

        Args:
            moment: the image and its people.
            trails: people's paths over the floor.
            exact: whether surfaces must have the pose correctives of this very moment, as for a
                still image.
        """
        with self._lock, self._server.atomic():
            self._last = moment, trails
            self._draw(moment, trails, exact=exact)

    def refresh(self) -> None:
        """Redraw the last moment after a change of the choices."""
        with self._lock, self._server.atomic():
            if self._last is not None:
                self._draw(*self._last, exact=True)

    def look_through(self, client: "viser.ClientHandle", name: str = "") -> None:
        """Move a client's viewpoint to a camera, with the image behind all people.

        Args:
            client: a browser that shows the page.
            name: name of one of the moment's shots; empty for the moment's own camera.
        """
        with self._lock, self._server.atomic():
            if self._last is None:
                return
            moment, trails = self._last
            pose = {shot.name: shot.world_from_camera for shot in moment.shots}.get(name)
            camera = self._others.get(name, self._camera)
            depths = depths_of(moment, moment.world_from_camera if pose is None else pose)
            self._step_back()
            camera.look_through(client, float(depths.max(initial=3.0)) + 1.0)
            self._draw(moment, trails, exact=False)

    def step_back(self, client: "viser.ClientHandle") -> None:
        """Move a client's viewpoint behind and above the camera, or to where all are in view."""
        with self._lock, self._server.atomic():
            if self._last is None:
                return
            moment, trails = self._last
            self._step_back()
            _move(client, *viewpoint(moment))
            self._draw(moment, trails, exact=False)

    def _draw(self, moment: Moment, trails: Trail, *, exact: bool) -> None:
        choices = self.choices
        self._removal.sweep()
        if len(moment.shots) > self._placed_for:
            self._placed_for = len(moment.shots)
            eye, target = viewpoint(moment)
            self._server.initial_camera.position = eye
            self._server.initial_camera.look_at = target
            self._server.initial_camera.fov = _FIELD_OF_VIEW_RAD
            for client in self._server.get_clients().values():  # these look from elsewhere
                _move(client, eye, target)
        self._camera.show(
            moment.camera, moment.world_from_camera, moment.rgb, shown=choices.camera
        )
        self._draw_others(moment.shots)
        self._floor.visible = choices.floor
        self._floor.position = (0.0, 0.0, moment.floor_m)
        self._draw_people(moment, trails, exact=exact)
        truth = moment.truth if choices.truth else None
        self._draw_truth(truth, exact=exact)

    def _draw_others(self, shots: Sequence[Shot]) -> None:
        """Show the cameras of fused people; those without a shot are hidden."""
        for name in self._others.keys() - {shot.name for shot in shots}:
            self._others[name].hide()
        for shot in shots:
            if shot.name not in self._others:
                path = f"/{shot.name.replace('/', '_')}"
                self._others[shot.name] = CameraView(self._server.scene, f"{OTHERS}{path}")
            self._others[shot.name].show(
                shot.camera, shot.world_from_camera, shot.rgb, shown=self.choices.camera
            )

    def _step_back(self) -> None:
        for camera in (self._camera, *self._others.values()):
            camera.step_back()

    def _draw_people(self, moment: Moment, trails: Trail, *, exact: bool) -> None:
        people, up = moment.people, moment.world_from_camera[2, :3]
        colours = colours_of(people.ids).tolist()
        names = [f"{CAMERA}/person_{id_}" for id_ in people.ids.tolist()]
        self._keep(self._people, people)
        for id_, name, colour in zip(people.ids.tolist(), names, colours, strict=True):
            if id_ not in self._people:
                self._people[id_] = self._view(name, tuple(colour), None)
        self._pose(self._people, people, exact=exact)
        choices = self.choices
        for row, id_ in enumerate(people.ids.tolist()):
            view, joints = self._people[id_], people.joints_m[row]
            view.show_surface(choices)
            view.show_skeleton(joints, shown=choices.skeletons)
            label = label_of(people, row, distance=moment.camera is not None)
            view.show_label(label, joints, up, shown=choices.labels)
            covariance = people.covariances_m2[row]
            view.show_uncertainty(joints[_PELVIS], covariance, shown=choices.uncertainty)
            places = trails.get(id_, ())
            view.show_trail(f"/trail_{id_}", places, shown=choices.trails)

    def _draw_truth(self, truth: People | None, *, exact: bool) -> None:
        self._keep(self._truth, truth)
        if truth is None:
            return
        for id_ in truth.ids.tolist():
            if id_ not in self._truth:
                name = f"{CAMERA}/truth_{id_}"
                self._truth[id_] = self._view(name, _TRUE_COLOUR, _TRUE_OPACITY)
        self._pose(self._truth, truth, exact=exact)
        for row, id_ in enumerate(truth.ids.tolist()):
            self._truth[id_].show_surface(self.choices)
            shown = self.choices.skeletons
            self._truth[id_].show_skeleton(truth.joints_m[row], shown=shown)

    def _pose(self, views: dict[int, PersonView], people: People, *, exact: bool) -> None:
        """Send bones, and new rest surfaces where those on the page are too old."""
        if not self.choices.bodies or not len(people):
            return
        ids = people.ids.tolist()
        if any(views[id_].wants_mesh(exact=exact) for id_ in ids):
            rest = self._surface.rest(people)
            for row, id_ in enumerate(ids):
                if views[id_].wants_mesh(exact=exact):
                    views[id_].set_mesh(rest.vertices_m[row], rest.joints_m[row], exact=exact)
        known = [views[id_].rest_joints_m for id_ in ids]
        bones = self._surface.bones(people, np.array(known))
        for row, id_ in enumerate(ids):
            views[id_].set_bones(bones.wxyz[row], bones.positions_m[row])

    def _view(self, name: str, colour: tuple[int, int, int], opacity: float | None) -> PersonView:
        scene, surface = self._server.scene, self._surface
        faces, weights = surface.faces, surface.weights
        return PersonView(scene, self._removal, name, colour, faces, weights, opacity=opacity)

    def _keep(self, views: dict[int, PersonView], people: People | None) -> None:
        """Remove the people who are no longer there."""
        there = set() if people is None else set(people.ids.tolist())
        for id_ in [id_ for id_ in views if id_ not in there]:
            views.pop(id_).remove()


def _move(client: "viser.ClientHandle", eye: Floats, target: Floats) -> None:
    """Let a client look from one point (3,) of the scene to another, in metres."""
    with client.atomic():
        client.camera.up_direction = (0.0, 0.0, 1.0)
        client.camera.position, client.camera.look_at = eye, target
        client.camera.fov = _FIELD_OF_VIEW_RAD


def viewpoint(moment: Moment) -> tuple[Floats, Floats]:
    """Return a viewpoint (3,) behind and above the camera, and the point (3,) to look at.

    Several cameras, and the space in front of them, are all in view from behind the first one.
    """
    if moment.camera is None:
        poses = np.array([shot.world_from_camera for shot in moment.shots])
        return _overview(poses.reshape(-1, 4, 4), moment.people.joints_m[:, _PELVIS])
    world = moment.world_from_camera
    place, right, ahead = world[:3, 3], world[:3, 0], world[:3, 2]
    up = np.array([0.0, 0.0, 1.0])
    eye = place - 1.6 * ahead + 1.2 * right + 1.0 * up
    target = place + 3.0 * ahead
    target[2] = moment.floor_m + 0.9
    return eye, target


def _overview(poses: Floats, people_m: Floats) -> tuple[Floats, Floats]:
    """Return a viewpoint (3,) and the point (3,) to look at.

    Args:
        poses: (c, 4, 4) of the cameras in the world, of which there may be none.
        people_m: (n, 3) where people are in it.
    """
    places, ahead = poses[:, :3, 3], poses[:, :3, 2]
    points = np.concatenate([places, places + _SHOWN_M * ahead, people_m])
    points = points if len(points) else np.zeros((1, 3))
    middle = (points.min(0) + points.max(0)) / 2
    radius = max(np.linalg.norm(points - middle, axis=-1).max(), _SHOWN_M)
    away = np.array([*ahead[0, :2], 0.0]) if len(ahead) else np.array([1.0, 0.0, 0.0])
    away /= max(float(np.linalg.norm(away)), 1e-6)  # zero for a camera that looks straight down
    back = np.array([*(-np.cos(_PITCH_RAD) * away[:2]), np.sin(_PITCH_RAD)])
    return middle + radius / np.sin(_FIELD_OF_VIEW_RAD / 2) * back, middle


def depths_of(moment: Moment, world_from_camera: Floats) -> Floats:
    """Return the depths (n, 24) of people's joints in a camera, metres."""
    from_people = np.linalg.inv(world_from_camera) @ moment.world_from_camera
    return np.asarray(moment.people.joints_m @ from_people[2, :3] + from_people[2, 3])
