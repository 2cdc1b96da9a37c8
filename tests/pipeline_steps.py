"""The steps of the pipeline, for tests that make one of them fail."""

from smpler_model.camera_pipeline import CameraPipeline
from smpler_model.inference.estimator import Estimator
from smpler_model.people.placer import Placer
from smpler_model.pipeline import Pipeline
from smpler_model.shared_image import SharedImage

STEPS: dict[str, tuple[type, str]] = {
    "detect": (SharedImage, "detect"),
    "track": (CameraPipeline, "track"),
    "crop": (SharedImage, "cut"),
    "estimate": (Estimator, "estimate"),
    "place": (Placer, "place"),
    "smooth": (CameraPipeline, "_smooth"),
    "pose": (CameraPipeline, "_pose"),
    "mesh": (Pipeline, "add_mesh"),
}
"""Owner and name of the method of each step, in the order in which they run."""
