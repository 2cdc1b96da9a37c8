"""How a bag is evaluated."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

from smpler_model.bags.cameras import CameraSettings
from smpler_model.parameters import Value, default_values
from smpler_ros.bags.matching import USUAL_IOU
from smpler_ros.messages.markers import DEFAULT_LIFETIME_S

Output = Literal["people", "tf", "mesh_markers", "skeleton_markers", "overlay", "images"]
OUTPUTS: tuple[Output, ...] = (
    *("people", "tf", "mesh_markers", "skeleton_markers", "overlay", "images"),
)
USUAL_OUTPUTS: tuple[Output, ...] = ("people", "tf", "mesh_markers", "skeleton_markers")

DO_NOT_MATTER = ("checkpoint_s", "hash_bag", "video")
"""Names of what may differ when a run goes on."""


_STATE_FORMAT = 2
"""Of what a run leaves to be gone on with; it counts up when an earlier run's does not fit."""


@dataclass(frozen=True)
class EvaluationConfig:
    """What is computed and written.

    Attributes:
        values: of the pipeline's parameters.
        images: image topics; empty for all cameras of the bag.
        info: CameraInfo topic of an only camera; empty to find it, `none` for none.
        depth: depth topic of an only camera, likewise.
        truth: topics of the truth separated by commas, or a .npz file; empty to find them in the
            bag, `none` for none.
        boxes: whether people are found by the detector, or taken from the truth.
        min_iou: least overlap of a found and a true box of one person.
        outputs: what the output bag holds besides the cameras' calibration and the input's frames.
        cameras: what is known of the cameras besides their topics.
        tf_prefix: before the names of people's frames.
        overlay_mesh: whether the overlay shows meshes.
        jpeg_quality: of overlay and images, 1 to 100.
        marker_lifetime: how long markers stay when nothing new comes, seconds.
        mesh_opacity: of the mesh markers, to 1.
        compress: whether the output bag is compressed.
        video: whether overlays become a video file, too.
        checkpoint_s: a run that is killed loses at most what it did for so long.
        hash_bag: whether the summary has the hash of the bag's files.
    """

    values: Mapping[str, Value] = field(default_factory=default_values)
    images: tuple[str, ...] = ()
    info: str = ""
    depth: str = ""
    truth: str = ""
    boxes: Literal["detector", "truth"] = "detector"
    min_iou: float = USUAL_IOU
    outputs: tuple[Output, ...] = USUAL_OUTPUTS
    cameras: CameraSettings = field(default_factory=CameraSettings)
    tf_prefix: str = ""
    overlay_mesh: bool = True
    jpeg_quality: int = 80
    marker_lifetime: float = DEFAULT_LIFETIME_S
    mesh_opacity: float = 1.0
    compress: bool = True
    video: bool = False
    checkpoint_s: float = 30.0
    hash_bag: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.min_iou <= 1:
            raise ValueError(f"min_iou must be above 0 and at most 1, got {self.min_iou:g}")
        if self.video and "overlay" not in self.outputs:
            raise ValueError(
                "a video is made of the overlay, got outputs without it; add overlay to them"
            )

    @property
    def needs_mesh(self) -> bool:
        """Whether anything shows the surface."""
        overlay = "overlay" in self.outputs and self.overlay_mesh
        return overlay or "mesh_markers" in self.outputs

    def digest(self) -> str:
        """Return a hash of all that decides the results, and whether a run can be gone on with."""
        kept = {name: value for name, value in asdict(self).items() if name not in DO_NOT_MATTER}
        kept["state"] = _STATE_FORMAT
        return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
