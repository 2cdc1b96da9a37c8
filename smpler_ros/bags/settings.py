"""Settings of `evaluate_bag`."""

import json
from dataclasses import asdict, dataclass
from typing import ClassVar, Literal, get_args

from smpler_model.hashes import hash_parts
from smpler_model.settings.bag import WITHOUT, BagSettings
from smpler_model.settings.pipeline import PipelineSettings
from smpler_model.settings.setting import setting
from smpler_model.settings.world import WorldSettings
from smpler_ros.bags.matching import USUAL_IOU
from smpler_ros.parameters.node_settings import OutputSettings

BagOutput = Literal["people", "tf", "mesh_markers", "skeleton_markers", "overlay", "images"]
OUTPUTS: tuple[BagOutput, ...] = get_args(BagOutput)
USUAL_OUTPUTS: tuple[BagOutput, ...] = ("people", "tf", "mesh_markers", "skeleton_markers")

DO_NOT_MATTER = ("checkpoint_every", "hash_bag", "video")
"""Settings that may differ when a run is resumed."""


_STATE_FORMAT = 6
"""Version of the checkpoint format, increased on incompatible changes."""


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings(OutputSettings, WorldSettings, PipelineSettings, BagSettings):
    """How bags are read, how people are found and compared with ground truth, and the outputs."""

    part: ClassVar[str] = "Evaluation"

    image_topic: tuple[str, ...] = setting((), "Image topics.", unset="all colour images")
    truth: str = setting(
        "",
        "Ground truth: topics of smpler_msgs/SmplPersonArray, separated by commas, or a .npz "
        f"file, or {WITHOUT}.",
        is_path=True,
        unset="topics with `truth` in their names",
    )
    boxes: Literal["detector", "truth"] = setting("detector", "Source of people's boxes.")
    match_iou: float = setting(
        USUAL_IOU,
        "Minimum overlap (intersection over union) between a detected and a true box of a person.",
        minimum=0.001,
        maximum=1.0,
    )
    outputs: tuple[BagOutput, ...] = setting(
        USUAL_OUTPUTS, "Topics in the output bag besides camera_info and transforms."
    )
    video: bool = setting(False, "Also write overlays to a video file.")
    compress: bool = setting(True, "Compress the output bag with zstd.")
    hash_bag: bool = setting(True, "Put the SHA-256 of the input's files into the summary.")
    checkpoint_every: float = setting(
        30.0,
        "Time between checkpoints, the most that a killed run loses; each starts a new "
        "file of the output bag.",
        unit="s",
        minimum=0.0,
        maximum=1e6,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_use()
        # The video is made from the overlay.
        wanted = {*self.outputs, "overlay"} if self.video else {*self.outputs}
        object.__setattr__(self, "outputs", tuple(name for name in OUTPUTS if name in wanted))

    @property
    def boxes_are_given(self) -> bool:
        """Whether ground truth provides the boxes."""
        return self.boxes == "truth"

    @property
    def needs_mesh(self) -> bool:
        """Whether any output shows the mesh."""
        overlay = "overlay" in self.outputs and self.overlay_mesh
        return overlay or "mesh_markers" in self.outputs

    def digest(self) -> str:
        """Return a hash of everything that affects the results or whether a run can be resumed."""
        kept = {name: value for name, value in asdict(self).items() if name not in DO_NOT_MATTER}
        kept["state"] = _STATE_FORMAT
        return hash_parts([json.dumps(kept, sort_keys=True)])
