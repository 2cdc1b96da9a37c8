"""Data sets in the layout of the releases that SMPLer trains on.

A YAML file names the tables: `img` (per row a key and an image in base64), `label` (the key and
labels in JSON), `hw` (the key and the image's size; optional) and `linelist`, the rows to use. A
composite set has a list of tables for each, or the name of a file with such a list, and its
linelist contains the table and the row in it.
"""

import base64
import binascii
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray
from torch.utils.data import Dataset

from smpler_model.array_types import Floats, Integers
from smpler_model.body.skeleton import LABELLED_JOINTS, SMPL_JOINTS, SMPL_SHAPE_COUNT
from training.data.augmentation import (
    NO_CHANGE,
    SCALE_PX,
    Window,
    change_image,
    change_joints,
    change_keypoints,
    change_pose,
    draw_change,
)
from training.data.data_settings import Augmentation
from training.data.labelled_people import Fault, LabelledPerson
from training.data.tsv import TsvFile

PELVIS = LABELLED_JOINTS.index("pelvis")
_COLUMNS = ("img", "label")
_FLAGS = {
    "2d_joints": "has_2d_joints",
    "3d_joints": "has_3d_joints",
    "pose": "has_smpl",
    "betas": "has_smpl",
}
"""The flags that mark which numbers are labels."""

_LARGEST = {"2d_joints": 1e5, "3d_joints": 1e3, "pose": 100.0, "betas": 100.0}
"""Limits of labels: pixels, metres, radians, standard deviations of shape."""

_MOST_IMAGES = 4
"""Limit of a crop's side, in longer sides of its image: beyond, the scale is in pixels."""

_FIELDS = (
    *("center", "scale", "has_2d_joints", "has_3d_joints", "has_smpl"),
    *("2d_joints", "3d_joints", "pose", "betas"),
)


class RowError(ValueError):
    """A row cannot be read."""


@dataclass(frozen=True)
class Sample:
    """A row to read, and the number that seeds its augmentation."""

    row: int
    number: int


class TsvDataset(Dataset[LabelledPerson | Fault]):
    """People of a YAML file; unreadable rows are returned as faults.

    Rows are numbered as in the linelist. Reading is safe in worker processes.
    """

    def __init__(
        self,
        path: Path,
        side: int,
        augmentation: Augmentation | None = None,
        *,
        seed: int = 0,
        root: Path | None = None,
    ) -> None:
        """Open all tables.

        Args:
            path: path of the YAML file.
            side: side of the crops, pixels.
            augmentation: augmentation of images; None for no augmentation.
            seed: seed of the augmentation.
            root: folder that the tables' paths are relative to; that of the YAML file if None.

        Raises:
            FileNotFoundError: a file is missing.
            ValueError: the files do not fit together.
        """
        self.path, self.side = path, side
        self.augmentation, self.seed = augmentation, seed
        names = _read_yaml(path)
        self._root = root or path.parent
        self._composite = bool(names.get("composite", False))
        self._tables = {column: self._open(names, column) for column in _COLUMNS}
        self._places = self._list_places(names.get("linelist"))
        self._check()

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, sample: Sample | int) -> LabelledPerson | Fault:
        row, number = (sample.row, sample.number) if isinstance(sample, Sample) else (sample, 0)
        try:
            return self.read(row, number)
        except RowError as error:
            return Fault(row, str(error))

    def read(self, row: int, number: int = 0) -> LabelledPerson:
        """Read one person.

        Args:
            row: row of the linelist.
            number: number that seeds the augmentation.

        Raises:
            RowError: image or label are unreadable. The message names the row.
        """
        part, line = (int(v) for v in self._places[row])
        where = f"row {line} of {self._tables['img'][part].path}"
        try:
            key, image, label = self._decode(part, line)
            return self._make(key, row, number, image, label)
        except (ValueError, IndexError, KeyError, TypeError, cv2.error) as error:
            reason = f"no '{error.args[0]}'" if isinstance(error, KeyError) else str(error)
            raise RowError(f"{where} cannot be read: {' '.join(reason.split())}") from error

    def identify(self) -> Iterator[str | bytes | Integers]:
        """Yield what tells it from another set: the file, names and sizes of tables, the rows."""
        yield self.path.read_bytes()
        for tables in self._tables.values():
            for table in tables:
                yield f"{table.path.name} {table.path.stat().st_size}\n"
        yield self._places

    def key(self, row: int) -> str:
        """Return the key of a row of the linelist."""
        part, line = (int(v) for v in self._places[row])
        return self._tables["label"][part].key(line)

    def _decode(self, part: int, line: int) -> tuple[str, NDArray[np.uint8], dict[str, Any]]:
        key, *_, encoded = self._tables["img"][part].row(line)
        other, text, *_ = self._tables["label"][part].row(line)
        if key != other:
            raise ValueError(f"its image belongs to '{key}', its label to '{other}'")
        try:
            data = np.frombuffer(base64.b64decode(encoded, validate=True), np.uint8)
        except binascii.Error as error:
            raise ValueError(f"the image is not base64 ({error})") from error
        bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
        if bgr is None:
            raise ValueError("the image cannot be decoded")
        label = json.loads(text)[0]
        missing = [name for name in _FIELDS if name not in label]
        if missing:
            raise ValueError(f"the label has no '{missing[0]}'")
        return key, np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8), label

    def _make(
        self, key: str, row: int, number: int, rgb: NDArray[np.uint8], label: dict[str, Any]
    ) -> LabelledPerson:
        change = NO_CHANGE
        if self.augmentation is not None:
            change = draw_change(self.augmentation, np.random.default_rng((self.seed, number)))
        x, y = label["center"]
        _check_scale(float(label["scale"]), max(rgb.shape[:2]))
        scale = change.scale * float(label["scale"])
        window = Window((float(x), float(y)), scale, self.side, change.rotation_deg)
        keypoints = _shaped(label, "2d_joints", (len(LABELLED_JOINTS), 3))
        keypoints[:, :2] = window.crop_from_image(keypoints[:, :2])
        keypoints[:, 2] *= float(label["has_2d_joints"])
        joints = _shaped(label, "3d_joints", (len(LABELLED_JOINTS), 4))
        joints[:, :3] -= joints[PELVIS, :3].copy()
        crop = change_image(window.cut(rgb), change)
        return LabelledPerson(
            key=key,
            row=row,
            gender=str(label.get("gender", "none")),
            image=np.ascontiguousarray(crop.transpose(2, 0, 1)),
            keypoints=change_keypoints(keypoints, change),
            joints=change_joints(joints, change),
            pose=change_pose(_shaped(label, "pose", (3 * len(SMPL_JOINTS),)), change),
            betas=_shaped(label, "betas", (SMPL_SHAPE_COUNT,)),
            has_smpl=float(label["has_smpl"]),
            has_joints=float(label["has_3d_joints"]),
        )

    def _open(self, names: dict[str, Any], column: str) -> list[TsvFile]:
        entry = names.get(column)
        if entry is None:
            raise ValueError(
                f"{self.path} must name the table '{column}', got none; add '{column}: FILE.tsv'"
            )
        if isinstance(entry, str) and self._composite:
            entry = [line for line in (self._root / entry).read_text().split("\n") if line]
        entries = entry if isinstance(entry, list) else [entry]
        return [TsvFile(self._root / str(name)) for name in entries]

    def _list_places(self, name: str | None) -> Integers:
        """Return (n, 2) table and row of each person."""
        if name is None:
            if self._composite:
                raise ValueError(f"{self.path} is composite and must name a linelist, got none")
            rows = np.arange(len(self._tables["img"][0]))
            return np.stack((np.zeros_like(rows), rows), 1)
        file = self._root / name
        if not file.is_file():
            raise FileNotFoundError(
                f"the linelist must be a file, got {file}; correct its name in {self.path}"
            )
        columns = 2 if self._composite else 1
        numbers = np.array(file.read_text().split(), np.int64).reshape(-1, columns)
        if self._composite:
            return numbers
        return np.concatenate((np.zeros_like(numbers), numbers), 1)

    def _check(self) -> None:
        images, labels = (self._tables[column] for column in _COLUMNS)
        if len(images) != len(labels):
            raise ValueError(
                f"{self.path} must name a table of labels for each table of images, got "
                f"{len(labels)} for {len(images)}; download the data again"
            )
        lengths = np.array([min(len(i), len(la)) for i, la in zip(images, labels, strict=True)])
        parts, lines = self._places.T
        inside = (parts >= 0) & (parts < len(lengths)) & (lines >= 0)
        inside &= lines < lengths[np.clip(parts, 0, len(lengths) - 1)]
        if not inside.all():
            row = int(np.flatnonzero(~inside)[0])
            raise ValueError(
                f"the linelist of {self.path} must name existing rows, got "
                f"{self._places[row].tolist()}; download the data again"
            )


def _read_yaml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(
            f"a data set must be a YAML file, got {path}; render it with "
            "python -m training.data.render_people, download it with python -m "
            "training.data.download, or correct the path"
        )
    names = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(names, dict):
        raise ValueError(f"{path} must name tables, got {names!r}; download the data set again")
    return names


def _check_scale(scale: float, longer_px: int) -> None:
    """Refuse a square without pixels, and one that is far larger than its image."""
    if not 0 < scale <= _MOST_IMAGES * longer_px / SCALE_PX:
        raise ValueError(
            f"the label's scale must be positive, in units of {SCALE_PX:g} pixels, and its square "
            f"at most {_MOST_IMAGES} times as long as the image's {longer_px} pixels, got "
            f"{scale:g}"
        )


def _shaped(label: dict[str, Any], name: str, shape: Sequence[int]) -> Floats:
    """Return a label's numbers; some releases have an additional dimension of people."""
    values = np.array(label[name], np.float64)
    if values.ndim == len(shape) + 1:
        values = values[0]
    if name == "betas":
        values = values[:SMPL_SHAPE_COUNT]
    if values.shape != tuple(shape) or not np.isfinite(values).all():
        raise ValueError(f"'{name}' must be {tuple(shape)} finite numbers, got {values.shape}")
    largest = np.abs(values).max()
    if label[_FLAGS[name]] and largest > _LARGEST[name]:
        raise ValueError(f"'{name}' must be within +-{_LARGEST[name]:g}, got {largest:.3g}")
    return values
