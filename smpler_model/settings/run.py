"""Settings of the command `run`."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from smpler_model.settings.bag import BagSettings
from smpler_model.settings.pipeline import PipelineSettings
from smpler_model.settings.setting import setting


@dataclass(frozen=True, kw_only=True)
class RunSettings(PipelineSettings, BagSettings):
    """How `run` reads its input, finds people, and writes the results."""

    part: ClassVar[str] = "Input and output"

    frames: int | None = setting(None, "Stop after this many frames.", minimum=1, unset="all")
    image_topic: str = setting("", "Image topic of a bag.", unset="the only one")
    camera_info: str = setting(
        "",
        "Calibration file as written by camera_calibration; takes precedence over a bag's.",
        is_path=True,
        unset="none",
    )
    results: Literal["jsonl", "npz"] = setting("jsonl", "Format of the results file.")
    overlay: bool = setting(True, "Draw people over the input, as a video or as images.")
    overlay_mesh: bool = setting(True, "Draw meshes; without them, skeletons only, faster.")
    mesh: Literal["glb", "obj"] | None = setting(None, "Also write meshes.", unset="none")
    mesh_frame: tuple[int, ...] = setting(
        (),
        "Write meshes of these frames only, counted from 0.",
        minimum=0,
        unset="all with people",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mesh_frame and not self.mesh:
            raise ValueError(
                "mesh_frame selects among the frames with meshes, got it alone; add --mesh glb or "
                "--mesh obj"
            )
