"""Settings of a training of the detector `person`."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PersonTrainSettings:
    """A training run.

    Attributes:
        output: folder for the log and for the weights, `person_detector.npz`.
        initial: initial weights, a file of `training.person_detector`; None for those that ship.
            The detector with them also finds the unlabelled people of photos.
        scenes: number of rooms with people.
        images_per_scene: images of each room, at random times.
        held_out_scenes: number of further rooms, for validation.
        first_seed: seed of the first room; the demonstration and the benchmarks use small ones.
        empty_share: share of rooms without people.
        photos: files of labels, as `training.data.prepare_photos` reads them.
        photo_images: windows of photos.
        held_out_photos: windows of other photos, for validation.
        empty_images: windows of photos without people, beside the people in `photos` and in
            `empty_photos`; at most one of each photo.
        empty_photos: folders of photos without people.
        held_out_empty: windows of other such photos, for validation.
        photo_weight: weight of a photo's loss over that of a scene's.
        keypoint_weight: weight of the loss that keeps the keypoint maps as they were.
        size_weight: weight of the loss of boxes.
        epochs: passes over the images.
        batch: number of images in an update.
        learning_rate: peak of the learning rate over the size of each layer's weights; it falls as
            a cosine.
        seed: random seed of windows and order.
        threads: PyTorch's CPU threads.
    """

    output: Path = Path("runs/person")
    initial: Path | None = None
    scenes: int = 60
    images_per_scene: int = 20
    held_out_scenes: int = 8
    first_seed: int = 1000
    empty_share: float = 0.1
    photos: tuple[Path, ...] = ()
    photo_images: int = 1200
    held_out_photos: int = 200
    empty_images: int = 0
    empty_photos: tuple[Path, ...] = ()
    held_out_empty: int = 0
    photo_weight: float = 1.0
    keypoint_weight: float = 0.02
    size_weight: float = 2.0
    epochs: int = 5
    batch: int = 16
    learning_rate: float = 2e-3
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        counts = {
            name: getattr(self, name)
            for name in ("scenes", "images_per_scene", "epochs", "batch", "threads")
        }
        for name, value in counts.items():
            if value < 1:
                raise ValueError(
                    f"{name} must be at least 1, got {value}; omit it for its default"
                )
        if self.photo_images and not self.photos:
            raise ValueError(
                f"photos must be files of labels for {self.photo_images} photo_images, got none; "
                "name some, or set photo_images to 0"
            )
        if self.empty_images and not (self.photos or self.empty_photos):
            raise ValueError(
                f"photos or empty_photos must be given for {self.empty_images} empty_images, got "
                "none; name some, or set empty_images to 0"
            )
