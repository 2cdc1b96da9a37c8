"""Data sets in the released layout as a run's training data."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from smpler_model.array_types import Floats, Integers
from smpler_model.hashes import hash_parts, is_in_share
from smpler_model.network.smpler import BackboneModel
from training.data.data_settings import TsvData
from training.data.datasets import RowError, Sample, TsvDataset
from training.data.labelled_people import Fault, LabelledPeople, LabelledPerson, collate
from training.data.sequences import sequence_of
from training.data.source import ExampleSource, Validation
from training.learning.processes import Processes
from training.scoring.scores import Conventions, score
from training.settings import TrainSettings

logger = logging.getLogger(__name__)

BAD_ROWS = "bad_rows.txt"
MOST_STAND_INS = 20


@dataclass(frozen=True)
class MixedSample:
    """A row in one of several data sets."""

    part: int
    sample: Sample


class MixedDataset(Dataset[list[LabelledPerson | Fault]]):
    """Several data sets as one. An item is a list: a substitute follows an unreadable row.

    Thus all batches have the same size, and faults are still reported.
    """

    def __init__(self, parts: list[TsvDataset], stand_ins: list[Integers] | None = None) -> None:
        """Combine data sets.

        Args:
            parts: the data sets.
            stand_ins: rows of each that may replace unreadable ones; none if None.
        """
        self.parts, self.stand_ins = parts, stand_ins

    def __getitem__(self, place: MixedSample) -> list[LabelledPerson | Fault]:
        dataset, sample = self.parts[place.part], place.sample
        items = [dataset[sample]]
        if self.stand_ins is None:
            return items
        rows = self.stand_ins[place.part]
        start = int(np.searchsorted(rows, sample.row))
        while isinstance(items[-1], Fault) and len(items) < MOST_STAND_INS:
            row = int(rows[(start + len(items)) % len(rows)])
            items.append(dataset[Sample(row, sample.number)])
        return items


class TsvSource(ExampleSource[LabelledPeople]):
    """Mixed data sets in the released layout, with some sequences held out for validation."""

    def __init__(
        self,
        settings: TrainSettings,
        processes: Processes,
        data: TsvData,
        side: int,
        batch: int = 0,
    ) -> None:
        """Open all data sets and read one row of each.

        Raises:
            FileNotFoundError: a file is missing.
            ValueError: a data set is unreadable, or nothing is left for training or validation.
        """
        super().__init__(settings, processes, batch)
        self.data, self.side = data, side
        paths = [data.root / part.yaml for part in data.sets]
        training, plain = (
            [TsvDataset(path, side, changes, seed=settings.seed) for path in paths]
            for changes in (data.augmentation, None)
        )
        self.plain = MixedDataset(plain)
        for part in self.plain.parts:
            _read_one(part)
        kept = [self._keep(number) for number in range(len(paths))]
        self.rows = [np.flatnonzero(~mask) for mask in kept]
        self.training = MixedDataset(training, self.rows)
        self.validation = [
            MixedSample(part, Sample(int(row), 0))
            for part, mask in enumerate(kept)
            for row in np.flatnonzero(mask)
        ]
        if (data.validation_share and not self.validation) or not self.examples:
            raise ValueError(
                f"validation_share {data.validation_share} must leave people on both sides, got "
                f"{len(self.validation)} to validate and {self.examples} to train on; change it "
                "or the sets' sequence patterns"
            )
        self.facts = {"data_sha256": _hash_sets(plain), "validation_people": len(self.validation)}
        self.bad: list[str] = []
        self._noted = self._read_faults()

    @property
    def examples(self) -> int:
        """Number of people in an epoch, repeated according to their sets' weights."""
        pairs = zip(self.rows, self.data.sets, strict=True)
        return sum(round(part.weight * len(rows)) for rows, part in pairs)

    def order(self, epoch: int) -> Integers:
        """Return (n, 2) set and row of an epoch's people, in order."""
        rng = np.random.default_rng((self.settings.seed, epoch))
        places = []
        for number, (rows, part) in enumerate(zip(self.rows, self.data.sets, strict=True)):
            count = round(part.weight * len(rows))
            whole, rest = divmod(count, len(rows)) if len(rows) else (0, 0)
            chosen = np.concatenate([*[rows] * whole, rng.permutation(rows)[:rest]])
            places.append(np.stack((np.full(count, number), chosen), 1))
        return rng.permutation(np.concatenate(places))

    def batches(self, first: int, last: int) -> Iterator[list[LabelledPeople]]:
        """Yield the batches of the steps; see the base class.

        Raises:
            ValueError: more rows than allowed are unreadable.
        """
        for batch in self._load(self.training, self._samples(first, last)):
            self._note_faults(batch)
            if len(batch) < self.share:
                raise ValueError(
                    f"at most {MOST_STAND_INS} consecutive rows may be unreadable, the last: "
                    f"{self.bad[-1]}; download the data again"
                )
            moved = batch.to(self.processes.device)
            yield moved.split(self.batch)

    def validate(self, model: BackboneModel) -> Validation:
        """Return the errors on the held-out sequences, if there are any.

        Raises:
            ValueError: more rows than allowed are unreadable.
        """
        if not self.validation:
            return Validation({}, chooses=False)
        was_training = model.training
        model.eval()
        mine = self.validation[self.processes.rank :: self.processes.count]
        size = self.batch
        groups = [mine[k : k + size] for k in range(0, len(mine), size)]
        scores = []
        for batch in self._load(self.plain, groups):
            self._note_faults(batch)
            if len(batch):
                scores.append(score(model, batch.to(self.processes.device), Conventions()))
        model.train(was_training)
        gathered = [part for parts in self.processes.gather(scores) for part in parts]
        totals: dict[str, list[Floats]] = {}
        for part in gathered:
            for name, values in part.errors.items():
                totals.setdefault(name, []).append(values)
        errors = {name: float(np.nanmean(np.concatenate(v))) for name, v in totals.items()}
        return Validation(errors, chooses=True)

    def show(self) -> LabelledPeople:
        """Return people of the validation, or of the training data if there are none."""
        rows = self.rows[0][:8]
        samples = self.validation[:8] or [MixedSample(0, Sample(int(row), 0)) for row in rows]
        return _Collate(self.side)([self.plain[sample] for sample in samples])

    def _samples(self, first: int, last: int) -> Iterator[list[MixedSample]]:
        known, order = -1, np.empty((0, 2), np.int64)
        for step in range(first, last):
            epoch, rows = self.rows_of(step)
            if epoch != known:
                known, order = epoch, self.order(epoch)
            start = epoch * self.examples + rows.start
            yield [
                MixedSample(int(part), Sample(int(row), start + place))
                for place, (part, row) in enumerate(order[rows])
            ]

    def _load(self, dataset: MixedDataset, groups: Any) -> Iterator[LabelledPeople]:  # noqa: ANN401
        side = self.side
        return iter(
            DataLoader(
                dataset,
                batch_sampler=groups,
                num_workers=self.data.workers,
                collate_fn=_Collate(side),
                pin_memory=self.processes.device.type == "cuda",
            )
        )

    def _keep(self, number: int) -> NDArray[np.bool_]:
        """Return which rows of a set are held out: whole sequences, selected by a hash."""
        part, dataset = self.data.sets[number], self.plain.parts[number]
        share = self.data.validation_share
        if not share:
            return np.zeros(len(dataset), bool)
        chosen: dict[str, bool] = {}
        mask = np.zeros(len(dataset), bool)
        for row in range(len(dataset)):
            name = sequence_of(dataset.key(row), part.sequence)
            if name not in chosen:
                chosen[name] = is_in_share(name, share)
            mask[row] = chosen[name]
        return mask

    def _read_faults(self) -> set[str]:
        """Return the unreadable rows noted before a resume, by other processes and sources."""
        path = self.settings.output / BAD_ROWS
        return set(path.read_text(encoding="utf-8").splitlines()) if path.is_file() else set()

    def _note_faults(self, batch: LabelledPeople) -> None:
        for fault in batch.faults:
            if fault.reason not in self.bad:
                self.bad.append(fault.reason)
                logger.warning("left out: %s", fault.reason)
                if fault.reason not in self._noted:
                    self._noted.add(fault.reason)
                    with (self.settings.output / BAD_ROWS).open("a", encoding="utf-8") as file:
                        file.write(f"{fault.reason}\n")
        if len(self.bad) > self.data.bad_rows:
            raise ValueError(
                f"at most {self.data.bad_rows} rows may be unreadable, got {len(self.bad)}, the "
                f"last: {self.bad[-1]}; download the data again or raise bad_rows"
            )


@dataclass(frozen=True)
class _Collate:
    side: int

    def __call__(self, places: list[list[LabelledPerson | Fault]]) -> LabelledPeople:
        return collate([item for items in places for item in items], self.side)


def _read_one(dataset: TsvDataset) -> None:
    """Fail at once if a data set is unusable as a whole: all of its first rows fail."""
    items = [dataset[row] for row in range(min(3, len(dataset)))]
    faults = [item for item in items if isinstance(item, Fault)]
    if not items or len(faults) == len(items):
        reason = faults[0].reason if faults else "it has no row"
        raise RowError(
            f"{dataset.path} must hold labelled people, but {reason}; download it again"
        )


def _hash_sets(datasets: list[TsvDataset]) -> str:
    """Return a hash of what the data sets hold: names and sizes of tables, and rows."""
    return hash_parts(part for dataset in datasets for part in dataset.identify())
