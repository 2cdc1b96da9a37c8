"""What a training run learns from."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from training.data.sequences import check_pattern
from training.data.shares import share_out

SHOWN = (
    *("everyday", "recorded", "close", "cut_below"),
    *("photographed", "cluttered", "bare", "harsh", "companions"),
)
"""Settings of crops to train on that are fields of `CropStyle`, too."""


@dataclass(frozen=True)
class CropData:
    """Synthetic crops, rendered once into a folder.

    Attributes:
        kind: `crops`.
        folder: where the rendered crops lie, outside the repository.
        shards: files of crops to train on; the seed of each is its number.
        seed_step: difference between successive seeds; the first is 0.
        validation_shards: files to choose the best weights by; no best is kept if 0.
        validation_seed: number of the first of these.
        held_out_shards: files to evaluate on; nothing is ever chosen by them.
        held_out_seed: number of the first of these; training has fewer files than that.
        crops: number of crops per file.
        everyday: share of people to train on who do what those of the scenes do, as for
            `crops.CropStyle`; all of the others do.
        close: share of cameras to train on that are close, look down and are rolled, as for
            `crops.CropStyle`; none of the others do.
        cut_below: probability that a crop to train on ends above the feet; 0.08 for the others.
        poses: folder with files of `fit_poses`, for people in recorded poses.
        recorded: share of people to train on in such a pose; none of the others are.
        backgrounds: folders of photos for behind people; if labelled, as for `find_backgrounds`,
            those parts without people.
        photographed: share of batches to train on with photos behind people; none of the others.
        cluttered: share of the rest of those with clutter behind people; none of the others.
        bare: share of people to train on dressed for sport or summer; none of the others are.
        harsh: share of crops to train on with harsh light or a bad camera; none of the others.
        companions: share of batches to train on with a second person; 0.15 for the others.
        colour: greatest change of each colour channel, as a share, while training.
        cutout: probability that a rectangle is blanked while training.
        shift: pixels that a crop is moved by at most, either way, while training.
    """

    kind: Literal["crops"] = "crops"
    folder: Path = Path("runs/crops")
    shards: int = 60
    seed_step: int = 1
    validation_shards: int = 0
    validation_seed: int = 2_000_000
    held_out_shards: int = 2
    held_out_seed: int = 1_000_000
    crops: int = 1024
    colour: float = 0.2
    cutout: float = 0.3
    shift: int = 0
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
        if self.seed_step < 1:
            raise ValueError(f"seed_step must be positive, got {self.seed_step}; set it to 1")
        if self.shift < 0:
            raise ValueError(f"shift must not be negative, got {self.shift}; set it to 0")
        for name in SHOWN:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(
                    f"{name} must be from 0 to 1, got {getattr(self, name)}; change it"
                )
        for share, given in (("recorded", "poses"), ("photographed", "backgrounds")):
            if getattr(self, share) and not getattr(self, given):
                raise ValueError(
                    f"{share} {getattr(self, share):g} needs {given}, got none; name a folder or "
                    f"set {share} to 0"
                )
        if self.shards * self.seed_step > self.held_out_seed:
            raise ValueError(
                f"shards must stay below held_out_seed {self.held_out_seed}, got "
                f"{self.shards}; training must not see the held-out seeds"
            )


@dataclass(frozen=True)
class Augmentation:
    """How training images are changed; the defaults are SMPLer's.

    Attributes:
        flip: probability of a mirror image.
        colour: greatest change of each colour channel, as a share.
        rotation_deg: standard deviation of the turn in the image plane; clipped at twice that.
        rotation_share: probability of a turn.
        scale: standard deviation of the crop's relative size; clipped at once that.
    """

    flip: float = 0.5
    colour: float = 0.4
    rotation_deg: float = 30.0
    rotation_share: float = 0.4
    scale: float = 0.25


@dataclass(frozen=True)
class PhotoAugmentation:
    """How photos of people are changed.

    Attributes:
        flip: probability of a mirror image.
        colour: greatest change of each colour channel, as a share.
        rotation_deg: standard deviation of the turn in the image plane; clipped at twice that.
        rotation_share: probability of a turn.
        scale: greatest change of the crop's size, as a share.
        shift: greatest move of the crop, as a share of half its side.
        cutout: probability that a rectangle is blanked.
        grey: probability that an image loses its colours.
        coarse: probability that it is enlarged from fewer pixels, down to a quarter of its side.
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


@dataclass(frozen=True)
class PhotoData:
    """Photos of people with labelled joints, prepared once by `prepare_photos`.

    Their labels may be wrong, and so count robustly: beyond a scale, an error is taken for what it
    is and no longer for its square.

    Attributes:
        kind: `photos`.
        folder: where the prepared files lie, outside the repository.
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
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}; change it")


@dataclass(frozen=True)
class TsvSet:
    """One data set in the released layout.

    Attributes:
        yaml: file that names the parts, relative to the data's root.
        weight: how often a row is seen in an epoch, on the mean; 0.5 is half of the rows.
        sequence: regular expression whose first group, found in a row's key, names what must not
            be split between training and validation: by default all up to the last number.
    """

    yaml: Path
    weight: float = 1.0
    sequence: str = r"^(.*?)\d*\D*$"

    def __post_init__(self) -> None:
        if self.weight <= 0:
            raise ValueError(
                f"weight must be positive, got {self.weight} for {self.yaml}; leave the set out"
            )
        check_pattern(self.sequence)


@dataclass(frozen=True)
class TsvData:
    """Data sets in the released layout, mixed.

    Attributes:
        kind: `tsv`.
        sets: the data sets.
        root: folder that the sets' paths are relative to.
        test: data sets that are evaluated later: training on them is refused.
        validation_share: share of the sequences that are kept from training, to choose the best
            weights by; no best is kept if 0.
        augmentation: augmentation of training images.
        workers: processes that read, for each training process; 0 reads in that process.
        bad_rows: rows that may be unreadable before training stops.
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
            raise ValueError("data.sets must name a data set, got none; add one")
        if not 0 <= self.validation_share < 1:
            raise ValueError(
                f"validation_share must be from 0 to below 1, got {self.validation_share}; "
                "change it"
            )
        both = {s.yaml for s in self.sets} & set(self.test)
        if both:
            raise ValueError(
                f"test data must not be trained on, got {sorted(both)[0]} in both lists; remove "
                "one of them"
            )


@dataclass(frozen=True)
class DataPart:
    """One source of several.

    Attributes:
        data: the source.
        weight: its people in a batch, to those of the other sources.
    """

    data: CropData | PhotoData | TsvData
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.weight <= 0:
            raise ValueError(
                f"weight must be positive, got {self.weight} for {self.data.kind}; leave it out"
            )


@dataclass(frozen=True)
class MixedData:
    """Several sources of people: every batch has some of each.

    An epoch is one of the first source, and the best weights are chosen by its validation.

    Attributes:
        kind: `mixed`.
        parts: the sources.
    """

    parts: tuple[DataPart, ...]
    kind: Literal["mixed"] = "mixed"

    def __post_init__(self) -> None:
        if len(self.parts) < 2:
            raise ValueError(
                f"data.parts must name several sources, got {len(self.parts)}; give the only one "
                "as data"
            )

    def shares(self, batch: int) -> tuple[int, ...]:
        """Return how many people of a batch each source gives.

        Raises:
            ValueError: there are fewer people than sources.
        """
        return share_out(batch, [part.weight for part in self.parts])


Data = CropData | TsvData | PhotoData | MixedData
"""What a run may learn from."""


def find_crops(data: Data) -> CropData | None:
    """Return the synthetic crops of a run's data; None where there are none."""
    sources = [part.data for part in data.parts] if isinstance(data, MixedData) else [data]
    return next((source for source in sources if isinstance(source, CropData)), None)
