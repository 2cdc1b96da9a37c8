"""Estimates people in given boxes, with the pipeline that robots run."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.real_people.folder import JOINTS, FolderTruth, PhotoTruth, VideoTruth
from benchmarks.real_people.stages import earlier_answers
from smpler_model.array_types import Floats
from smpler_model.assembly import build_pipeline
from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.camera_pipeline import PipelineConfig
from smpler_model.detectors.detector import GivenBoxes, detections_from
from smpler_model.frames import Frame
from smpler_model.inference.estimator import Estimator
from smpler_model.people.tracker import TrackerConfig
from smpler_model.pipeline import Pipeline
from smpler_model.settings.pipeline import PipelineSettings
from smpler_model.sources import open_source, read_image
from training.scoring.stages import name_stages

BODY_JOINTS = [SMPL_JOINTS.index(name) for name in JOINTS]
"""The SMPL joints that `JOINTS` names."""


@dataclass(frozen=True)
class Seen:
    """A person in an image.

    Attributes:
        joints_m: (12, 3) in the camera's optical frame, an assumed camera's for photos.
        joints_px: (12, 2) in the image, with lens distortion.
    """

    joints_m: Floats
    joints_px: Floats


ONE_IMAGE = PipelineConfig(tracker=TrackerConfig(confirm_frames=1), smoothing=None)
"""People are reported at once, from their image alone."""


class Observer:
    """A model that processes one image after the other, without memory."""

    def __init__(self, estimator: Estimator) -> None:
        self._estimator = estimator

    def look(self, frame: Frame, boxes_xyxy: Floats) -> list[Seen | None]:
        """Return the person in each of the boxes (n, 4) of an image; None if it gives nobody."""
        return [self._look(frame, box) for box in boxes_xyxy]

    def _look(self, frame: Frame, box_xyxy: Floats) -> Seen | None:
        detector = GivenBoxes()
        detector.give(detections_from([box_xyxy]))
        # A pipeline of its own, so that nobody inherits a track of another box or image.
        pipeline = Pipeline(self._estimator, lambda: detector, ONE_IMAGE)
        people = pipeline.process(frame).people
        if not len(people):
            return None
        return Seen(people.joints_m[0, BODY_JOINTS], people.keypoints_px[0, BODY_JOINTS])


def load_observers(model: str, *, stages: bool = False) -> dict[str, Observer]:
    """Load a model, and return it last, by the name of its final estimate.

    Args:
        model: name of a shipped model, or path of a checkpoint.
        stages: whether observers that answer with its earlier estimates come before it.

    Raises:
        ValueError: an unusable model.
        OSError: a file that cannot be read.
    """
    estimator = build_pipeline(PipelineSettings(model=model), GivenBoxes).estimator
    network = estimator.model
    answers = earlier_answers(network) if stages else {}
    earlier = {
        name: Observer(Estimator(answer, estimator.device, backend="plain"))
        for name, answer in answers.items()
    }
    return {**earlier, name_stages(network)[-1]: Observer(estimator)}


def read_photos(folder: FolderTruth) -> Iterator[tuple[PhotoTruth, Frame]]:
    """Yield each photo with its image."""
    for photo in folder.photos:
        yield photo, Frame(read_image(folder.path / photo.image), 0)


def read_video(folder: FolderTruth, video: VideoTruth) -> Iterator[tuple[int, Frame]]:
    """Yield each scored frame, by its number.

    Raises:
        ValueError: the video has fewer frames than labels, or another size.
    """
    wanted = video.scored_frames
    read = 0
    with open_source(str(folder.path / video.video), video.camera) as source:
        for read, frame in enumerate(source.frames, 1):
            number = read - 1
            if number >= wanted.stop:
                break
            if number in wanted:
                yield number, frame
    if read < wanted.stop:
        raise ValueError(
            f"{video.video} must have the {wanted.stop} frames that are labelled, got {read}; "
            "restore the file"
        )
