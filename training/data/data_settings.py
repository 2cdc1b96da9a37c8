"""Settings of a run's training data."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from training.data.sequences import check_pattern
from training.data.shares import share_out

SHOWN = (
    *("everyday", "recorded", "close", "cut_below"),
    *("photographed", "cluttered", "bare", "harsh", "companions"),
)
"""Settings of training crops that are also fields of `CropStyle`."""


@dataclass(frozen=True)
class CropData:
    """Synthetic crops, rendered once into a folder.

    Attributes:
        kind: `crops`.
        folder: folder of the rendered crops, outside the repository.
        shards: number of files to train on; the seed of each is its number.
        validation_shards: number of files for choosing the best weights; 0 for no choice.
        validation_seed: number of the first of these files.
        held_out_shards: number of files for evaluation; no run chooses its best weights by them.
        held_out_seed: number of the first of these files; training must have fewer files than
            that.
        crops: number of crops per file.
        everyday: fraction of training people with everyday motions, see `crop_style.CropStyle`;
            all validation and held-out people have them.
        close: fraction of training cameras that are close, look down and are rolled, see
            `crop_style.CropStyle`; validation and held-out crops have none.
        cut_below: probability that a training crop ends above the feet; 0.08 for the others.
        poses: folder with files of `fit_poses`, for people in recorded poses.
        recorded: fraction of training people in recorded poses; none of the others.
        backgrounds: folders of photos as backgrounds; of labelled photos, see `find_backgrounds`,
            windows are preferred of which people cover at most a tenth.
        photographed: fraction of training batches with photos as backgrounds; none of the others.
        cluttered: fraction of the remaining training batches with clutter as background; none of
            the others.
        bare: fraction of training people dressed for sport or summer; none of the others.
        harsh: fraction of training crops with harsh light or a bad camera; none of the others.
        companions: fraction of training batches with a second person; 0.15 for the others.
        colour: largest relative change of each colour channel in training.
        cutout: probability that a rectangle is blanked in training.
        hidden_faces: probability that a face is pixelated in training, as in anonymised videos.
        shift: largest shift of a crop in each direction in training, in pixels.
        partial: probability that a training crop shows the upper part of a person alone, see
            `partial_crops`.
    """

    kind: Literal["crops"] = "crops"
    folder: Path = Path("runs/crops")
    shards: int = 60
    validation_shards: int = 0
    validation_seed: int = 2_000_000
    held_out_shards: int = 2
    held_out_seed: int = 1_000_000
    crops: int = 1024
    colour: float = 0.2
    cutout: float = 0.3
    hidden_faces: float = 0.0
    shift: int = 0
    partial: float = 0.0
    everyday: float = 0.75
    close: float = 0.0
    cut_below: float = 0.08
    poses: Path | None = None
    recorded: float = 0.0
    backgrounds: tuple[Path, ...] = ()
    photographed: float = 0.0
    cluttered: float = 0.0
    bare: float = 0.0
    harsh: float = 0.0
    companions: float = 0.15

    def __post_init__(self) -> None:
        if self.shift < 0:
            raise ValueError(f"shift must not be negative, got {self.shift}; set it to 0")
        for name in (*SHOWN, "partial"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be from 0 to 1, got {getattr(self, name)}")
        for share, given in (("recorded", "poses"), ("photographed", "backgrounds")):
            if getattr(self, share) and not getattr(self, given):
                raise ValueError(
                    f"{share} {getattr(self, share):g} needs {given}, got none; name a folder or "
                    f"set {share} to 0"
                )
        if self.shards > self.held_out_seed:
            raise ValueError(
                f"shards must stay below held_out_seed {self.held_out_seed}, got "
                f"{self.shards}; lower shards, as training must not see the held-out seeds"
            )


@dataclass(frozen=True)
class Augmentation:
    """Augmentation of training images; the defaults are SMPLer's.

    Attributes:
        flip: probability of mirroring.
        colour: largest relative change of each colour channel.
        rotation_deg: standard deviation of the rotation in the image plane; clipped at twice that.
        rotation_share: probability of a rotation.
        scale: standard deviation of the crop's relative size; clipped at once that.
    """

    flip: float = 0.5
    colour: float = 0.4
    rotation_deg: float = 30.0
    rotation_share: float = 0.4
    scale: float = 0.25


@dataclass(frozen=True)
class PhotoAugmentation:
    """Augmentation of photos.

    Attributes:
        flip: probability of mirroring.
        colour: largest relative change of each colour channel.
        rotation_deg: standard deviation of the rotation in the image plane; clipped at twice that.
        rotation_share: probability of a rotation.
        scale: largest relative change of the crop's size.
        shift: largest shift of the crop, as a fraction of half its side.
        cutout: probability that a rectangle is blanked.
        grey: probability that an image becomes grey.
        coarse: probability that the resolution is reduced, by a factor of up to four.
        hidden_faces: probability that the face is pixelated, as in anonymised videos.
    """

    flip: float = 0.5
    colour: float = 0.2
    rotation_deg: float = 25.0
    rotation_share: float = 0.5
    scale: float = 0.2
    shift: float = 0.1
    cutout: float = 0.3
    grey: float = 0.1
    coarse: float = 0.25
    hidden_faces: float = 0.0


@dataclass(frozen=True)
class PhotoData:
    """Photos of people with labelled joints, prepared once by `prepare_photos`.

    Their labels may be wrong, so the loss is robust: beyond a scale, errors count linearly instead
    of squared.

    Attributes:
        kind: `photos`.
        folder: folder of the prepared files, outside the repository.
        augmentation: augmentation of training images.
        keypoint_scale: scale of errors in the image, in half crop sides.
        joint_scale_m: scale of errors in space, metres.
    """

    kind: Literal["photos"] = "photos"
    folder: Path = Path("datasets/photos")
    augmentation: PhotoAugmentation = field(default_factory=PhotoAugmentation)
    keypoint_scale: float = 0.1
    joint_scale_m: float = 0.1

    def __post_init__(self) -> None:
        for name in ("keypoint_scale", "joint_scale_m"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")


@dataclass(frozen=True)
class TsvSet:
    """One data set in the released layout.

    Attributes:
        yaml: file that names the parts, relative to the data's root.
        weight: mean number of times that a row occurs in an epoch; 0.5 uses half of the rows.
        sequence: regular expression whose first group, found in a row's key, names the sequence,
            which is not split between training and validation; by default everything up to the
            last number.
    """

    yaml: Path
    weight: float = 1.0
    sequence: str = r"^(.*?)\d*\D*$"

    def __post_init__(self) -> None:
        if self.weight <= 0:
            raise ValueError(
                f"weight must be positive, got {self.weight} for {self.yaml}; remove the set"
            )
        check_pattern(self.sequence)


@dataclass(frozen=True)
class TsvData:
    """Data sets in the released layout, mixed.

    Attributes:
        kind: `tsv`.
        sets: the data sets.
        root: folder that the sets' paths are relative to.
        test: data sets for later evaluation: training on them is refused.
        validation_share: fraction of the sequences that are excluded from training, for choosing
            the best weights; 0 for no choice.
        augmentation: augmentation of training images.
        workers: number of reading processes per training process; 0 reads in the training process.
        bad_rows: number of unreadable rows beyond which training stops.
    """

    sets: tuple[TsvSet, ...]
    kind: Literal["tsv"] = "tsv"
    root: Path = Path("datasets")
    test: tuple[Path, ...] = ()
    validation_share: float = 0.02
    augmentation: Augmentation = field(default_factory=Augmentation)
    workers: int = 4
    bad_rows: int = 100

    def __post_init__(self) -> None:
        if not self.sets:
            raise ValueError("data.sets must name a data set, got none; list one as yaml: FILE")
        if not 0 <= self.validation_share < 1:
            raise ValueError(
                f"validation_share must be from 0 to below 1, got {self.validation_share}"
            )
        both = {s.yaml for s in self.sets} & set(self.test)
        if both:
            raise ValueError(
                f"test data must not be trained on, got {sorted(both)[0]} in both lists; remove "
                "it from one"
            )


@dataclass(frozen=True)
class DataPart:
    """One source of several.

    Attributes:
        data: the source.
        weight: number of its people in a batch, relative to those of other sources.
    """

    data: CropData | PhotoData | TsvData
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.weight <= 0:
            raise ValueError(
                f"weight must be positive, got {self.weight} for {self.data.kind}; remove the part"
            )


@dataclass(frozen=True)
class MixedData:
    """Several sources of people: every batch has some from each.

    An epoch is one of the first source, whose validation selects the best weights.

    Attributes:
        kind: `mixed`.
        parts: the sources.
    """

    parts: tuple[DataPart, ...]
    kind: Literal["mixed"] = "mixed"

    def __post_init__(self) -> None:
        if len(self.parts) < 2:
            raise ValueError(
                f"data.parts must name several sources, got {len(self.parts)}; set data to "
                "a single one directly"
            )
        folders = [source.folder for source in find_crops(self)]
        if len(set(folders)) < len(folders):
            raise ValueError(
                "each source of crops must have a folder of its own, got "
                f"{', '.join(map(str, folders))}; change one, and render its crops"
            )

    def shares(self, batch: int) -> tuple[int, ...]:
        """Return the number of people from each source in a batch.

        Raises:
            ValueError: there are fewer people than sources.
        """
        return share_out(batch, [part.weight for part in self.parts])


Data = CropData | TsvData | PhotoData | MixedData
"""Training data of any kind."""


def list_sources(data: Data) -> tuple[CropData | PhotoData | TsvData, ...]:
    """Return the settings of each source of a run's data."""
    return tuple(part.data for part in data.parts) if isinstance(data, MixedData) else (data,)


def find_crops(data: Data) -> tuple[CropData, ...]:
    """Return the settings of all synthetic crops in a run's data."""
    return tuple(source for source in list_sources(data) if isinstance(source, CropData))
