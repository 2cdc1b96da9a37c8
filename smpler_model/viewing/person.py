"""One person's objects in the scene of a page."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from smpler_model.array_types import Floats
from smpler_model.body.skeleton import SMPL_JOINTS, SMPL_PARENTS
from smpler_model.drawing.palette import Colour
from smpler_model.viewing.choices import Choices
from smpler_model.viewing.mesh_removal import MeshRemoval

if TYPE_CHECKING:
    import viser

MESH_EVERY_S = 1.0
"""Interval at which a moving person's mesh on the page is checked.

After a mesh the next one waits for twice as long as the last did, at most `LONGEST_WAIT_S`, as the
estimated shape settles while a person is tracked. A deviation of `OBVIOUS_M` does not wait.
"""

LONGEST_WAIT_S = 16.0
OBVIOUS_M = 0.06

# A larger deviation of a vertex is worth a new mesh, of 414 kB. Smaller ones are hardly visible
# on moving people: at 3 m, 2 cm are 3 pixels of a view 640 pixels wide.
MOVING_DEVIATION_M = 0.02
_STILL_DEVIATION_M = 0.005
_STILL_M = 0.002  # people whose surface has changed by less since the last check stand still
_CHECKS_STILL = 3  # checks in a row, before smaller deviations are corrected
_BONES = np.array([(parent, joint) for joint, parent in enumerate(SMPL_PARENTS) if parent >= 0])
_HEAD = SMPL_JOINTS.index("head")
_ABOVE_HEAD_M = 0.3
_BONE_WIDTH_M = 0.025
_SEE_THROUGH = 0.55
_DEVIATIONS_95 = 2.796  # of a 3D normal distribution: the root of chi-squared
_STEADY_M = 1e-6  # rounding errors

# viser sends float64 and compresses them: numbers of few digits take half of the bytes. All steps
# together move no vertex by more than 0.1 mm.
_TURN_STEP = 2.0**-16  # of a unit quaternion's components
_PLACE_STEP_M = 2.0**-14


class PersonView:
    """A person's surface, skeleton, label, trail and uncertainty.

    State: the objects on the page. Each is created when it is first shown.
    """

    def __init__(
        self,
        scene: "viser.SceneApi",
        removal: MeshRemoval,
        name: str,
        colour: Colour,
        faces: NDArray[np.uint32],
        weights: NDArray[np.float32],
        *,
        opacity: float | None = None,
    ) -> None:
        """Prepare.

        Args:
            scene: scene of the page.
            removal: removes meshes from it.
            name: path in it.
            colour: RGB, 0 to 255.
            faces: (f, 3) of the body.
            weights: (v, 24) of the body.
            opacity: of the surface, 0 to 1; None for an opaque one.
        """
        self._scene, self._removal = scene, removal
        self._name, self._colour = name, colour
        self._faces, self._weights, self._opacity = faces, weights, opacity
        self._mesh: viser.MeshSkinnedHandle | None = None
        self._skeleton: viser.LineSegmentsHandle | None = None
        self._label: viser.LabelHandle | None = None
        self._ellipsoid: viser.IcosphereHandle | None = None
        self._trail: viser.LineSegmentsHandle | None = None
        self._offsets_m: NDArray[np.float32] | None = None  # of the page's mesh
        self._seen_m: NDArray[np.float32] | None = None  # at the last check
        self._checks_still = 0
        self._checked_s = 0.0
        self._meshed_s = 0.0
        self._wait_s = MESH_EVERY_S
        self._meshes = 0
        self.rest_joints_m: Floats | None = None

    def wants_mesh(self, *, exact: bool) -> bool:
        """Return whether it is time to check the page's mesh.

        Args:
            exact: whether the picture stands still, so that every millimetre is visible.
        """
        if self._mesh is None or exact:
            return True
        return time.monotonic() - self._checked_s >= MESH_EVERY_S

    def set_mesh(self, vertices_m: NDArray[np.float32], joints_m: Floats, *, exact: bool) -> None:
        """Send a rest surface, if the page's is visibly wrong.

        Bones put the joints of the page's mesh where they are, whatever its shape: a taller person
        needs no new mesh. Only deviations of vertices relative to their bones are visible.

        Args:
            vertices_m: (6890, 3).
            joints_m: (24, 3).
            exact: whether the page's must be the same.
        """
        self._checked_s = now_s = time.monotonic()
        offsets_m = vertices_m - self._weights @ joints_m.astype(np.float32)
        before, self._seen_m = self._seen_m, offsets_m
        if self._offsets_m is not None and before is not None:
            is_still = _distance(offsets_m, before) <= _STILL_M
            self._checks_still = self._checks_still + 1 if is_still else 0
            off_m = _distance(offsets_m, self._offsets_m)
            if off_m <= (_STEADY_M if exact else self._tolerated_m(now_s)):
                return
            self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)
        self._meshed_s = now_s
        self._offsets_m, self.rest_joints_m = offsets_m, joints_m
        old, self._mesh = self._mesh, None
        # Under another name: a page would show new vertices of the old one unposed for an image.
        self._meshes += 1
        none = np.zeros((len(SMPL_JOINTS), 3))
        name = f"{self._name}/surface_{self._meshes % 2}"
        self._removal.reuse(name)
        self._mesh = self._scene.add_mesh_skinned(
            name,
            vertices_m,
            self._faces,
            bone_wxyzs=np.tile([1.0, 0, 0, 0], (len(none), 1)),
            bone_positions=none,
            skin_weights=self._weights,
            color=self._colour,
            opacity=self._opacity,
        )
        if old is not None:
            self._removal.remove(old)

    def _tolerated_m(self, now_s: float) -> float:
        """Return the deviation of the page's mesh from which on a new one is sent."""
        if now_s - self._meshed_s < self._wait_s:
            return OBVIOUS_M
        return _STILL_DEVIATION_M if self._checks_still >= _CHECKS_STILL else MOVING_DEVIATION_M

    def set_bones(self, wxyz: Floats, positions_m: Floats) -> None:
        """Pose the surface: (24, 4) quaternions and (24, 3) metres."""
        if self._mesh is None:
            return
        turns = np.round(wxyz / _TURN_STEP) * _TURN_STEP
        places = np.round(positions_m / _PLACE_STEP_M) * _PLACE_STEP_M
        for bone, turn, place in zip(self._mesh.bones, turns, places, strict=True):
            bone.wxyz, bone.position = turn, place

    def show_surface(self, choices: Choices) -> None:
        """Show or hide the surface; it is translucent while the skeleton is shown."""
        if self._mesh is not None:
            self._mesh.visible = choices.bodies
            through = _SEE_THROUGH if choices.skeletons else None
            self._mesh.opacity = self._opacity if through is None else through

    def show_skeleton(self, joints_m: Floats, *, shown: bool) -> None:
        """Draw (24, 3) joints, metres in the frame of the people."""
        if self._skeleton is not None:
            self._skeleton.visible = shown
        if not shown:
            return
        points = joints_m[_BONES].astype(np.float32)  # (23, 2, 3)
        if self._skeleton is None:
            self._skeleton = self._scene.add_line_segments(
                f"{self._name}/skeleton", points, self._colour, thickness=_BONE_WIDTH_M
            )
        self._skeleton.points = points

    def show_label(self, text: str, joints_m: Floats, up: Floats, *, shown: bool) -> None:
        """Show a text above the head of (24, 3) joints, in the (3,) direction that is up there."""
        if self._label is not None:
            self._label.visible = shown
        if not shown:
            return
        if self._label is None:
            self._label = self._scene.add_label(
                f"{self._name}/label", text, anchor="bottom-center"
            )
        self._label.text = text
        self._label.position = joints_m[_HEAD] + _ABOVE_HEAD_M * up

    def show_uncertainty(self, pelvis_m: Floats, covariance_m2: Floats, *, shown: bool) -> None:
        """Draw the 95 % confidence ellipsoid of the (3,) pelvis from its (3, 3) covariance."""
        shown = shown and bool(np.isfinite(covariance_m2).all())
        if self._ellipsoid is not None:
            self._ellipsoid.visible = shown
        if not shown:
            return
        if self._ellipsoid is None:
            self._ellipsoid = self._scene.add_icosphere(
                f"{self._name}/uncertainty",
                1.0,
                self._colour,
                opacity=0.3,
                cast_shadow=False,
                receive_shadow=False,
            )
        variances, axes = np.linalg.eigh(covariance_m2)
        axes[:, 0] *= np.linalg.det(axes)  # a rotation, not a reflection
        radii = _DEVIATIONS_95 * np.sqrt(np.maximum(variances, 1e-8))
        self._ellipsoid.scale = (float(radii[0]), float(radii[1]), float(radii[2]))
        self._ellipsoid.wxyz = np.roll(Rotation.from_matrix(axes).as_quat(), 1)
        self._ellipsoid.position = pelvis_m

    def show_trail(self, name: str, places_m: Sequence[Floats], *, shown: bool) -> None:
        """Draw a path of (3,) positions in the world, under a name of its own in the scene."""
        shown = shown and len(places_m) > 1
        if self._trail is not None:
            self._trail.visible = shown
        if not shown:
            return
        places = np.asarray(places_m, np.float32)
        points = np.stack([places[:-1], places[1:]], axis=1)
        if self._trail is None:
            self._trail = self._scene.add_line_segments(
                name, points, self._colour, thickness=_BONE_WIDTH_M
            )
        self._trail.points = points

    def remove(self) -> None:
        """Remove everything from the page."""
        if self._mesh is not None:
            self._removal.remove(self._mesh)
        for handle in (self._skeleton, self._label, self._ellipsoid, self._trail):
            if handle is not None:
                handle.remove()
        self._mesh = self._skeleton = self._label = self._ellipsoid = self._trail = None
        self._offsets_m = self._seen_m = None


def _distance(points_m: NDArray[np.float32], others_m: NDArray[np.float32]) -> float:
    """Return how far points are apart, at most, along an axis."""
    return float(np.abs(points_m - others_m).max())
