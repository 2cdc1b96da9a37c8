"""Predictions of pose networks, and a file of them to which interrupted runs add."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from smpler_model.atomic_files import write_atomically

_EVERY = 100  # photos between two writes of the file


@dataclass(frozen=True)
class Answers:
    """Predictions; `...` is one person, n people, or n people by several networks.

    Attributes:
        score: (...) confidence that there is a person, 0 to 1.
        points_px: (..., k, 2) pixels of the image; the centre of the first one is (0, 0).
        visibility: (..., k) from 0 to 1.
        points_m: (..., k, 3) metres; x right, y down, z forward in the image.
        spread_m: (..., k) metres, half the distance between the predictions for the image and for
            its mirror image; 0 if it was not mirrored.
    """

    score: NDArray[np.float32]
    points_px: NDArray[np.float32]
    visibility: NDArray[np.float32]
    points_m: NDArray[np.float32]
    spread_m: NDArray[np.float32]

    def __getitem__(self, rows: object) -> "Answers":
        return Answers(**{name: values[rows] for name, values in vars(self).items()})

    def points(self, rows: slice) -> "Answers":
        """Return the predictions with some of the points."""
        return Answers(
            self.score,
            self.points_px[..., rows, :],
            self.visibility[..., rows],
            self.points_m[..., rows, :],
            self.spread_m[..., rows],
        )


def nothing(points: int) -> Answers:
    """Return the prediction that there is no person."""
    return Answers(
        np.zeros((), np.float32),
        np.zeros((points, 2), np.float32),
        np.zeros(points, np.float32),
        np.zeros((points, 3), np.float32),
        np.zeros(points, np.float32),
    )


def stack(answers: Sequence[Answers]) -> Answers:
    """Stack predictions along a new first axis."""
    names = [field.name for field in fields(Answers)]
    return Answers(
        **{name: np.array([getattr(a, name) for a in answers], np.float32) for name in names}
    )


def ask_about(
    names: Sequence[str], ask: Callable[[str], Answers], path: Path, made_from: str
) -> Answers:
    """Return the predictions for photos: from a file, or else from the network.

    Even after an error, the file contains all predictions so far.

    Args:
        names: n names of photos.
        ask: returns the predictions for a photo.
        path: file of predictions, which need not exist.
        made_from: what they depend on besides the photo, such as a hash of the network.

    Returns:
        Predictions with n as the first axis.

    Raises:
        ValueError: the file does not belong to these networks, or a photo cannot be read.
        OSError: a file cannot be read or written.
    """
    known = _read(path, made_from)
    missing = [name for name in names if name not in known]
    try:
        for count, name in enumerate(
            tqdm(missing, desc="teacher", initial=len(names) - len(missing), total=len(names)), 1
        ):
            known[name] = ask(name)
            if count % _EVERY == 0:
                _write(path, known, made_from)
    finally:
        if missing:
            _write(path, known, made_from)
    return stack([known[name] for name in names])


def _read(path: Path, made_from: str) -> dict[str, Answers]:
    if not path.exists():
        return {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            before = str(archive["made_from"])
            answers = Answers(**{field.name: archive[field.name] for field in fields(Answers)})
            names = archive["names"].tolist()
    except (KeyError, ValueError, EOFError, BadZipFile):
        raise ValueError(
            f"{path} must hold the answers for a part of the photos, got something else; remove "
            "it to start again"
        ) from None
    if before != made_from:
        raise ValueError(
            f"{path} must be from the same networks and labels, got answers from others; remove "
            "it to start again"
        )
    return {name: answers[row] for row, name in enumerate(names)}


def _write(path: Path, known: dict[str, Answers], made_from: str) -> None:
    if not known:
        return
    columns = vars(stack(list(known.values())))
    names = np.array(list(known))
    write_atomically(
        path, lambda file: np.savez(file, names=names, made_from=np.array(made_from), **columns)
    )
