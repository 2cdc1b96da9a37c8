"""A training run's configuration: typed, from YAML, every field open to the command line."""

import dataclasses
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml

from training.losses import LossWeights

Settings = TypeVar("Settings")


@dataclass(frozen=True)
class DataSettings:
    """Synthetic crops, rendered once into a folder.

    Attributes:
        folder: where the rendered crops lie, outside the repository.
        shards: files of crops to train on; the seed of each is its number.
        held_out_shards: files to evaluate on.
        held_out_seed: number of the first of these; training has fewer files than that.
        crops: in a file.
        colour: greatest change of each colour channel, as a share, while training.
        cutout: probability that a rectangle is blanked while training.
    """

    folder: Path = Path("runs/crops")
    shards: int = 60
    held_out_shards: int = 2
    held_out_seed: int = 1_000_000
    crops: int = 1024
    colour: float = 0.2
    cutout: float = 0.3


@dataclass(frozen=True)
class TrainSettings:
    """One run.

    Attributes:
        model: key of `config.MODELS`.
        output: folder for checkpoints and the log.
        data: what it learns from.
        seed: of weights, order and augmentation.
        threads: of PyTorch on the CPU.
        steps: batches in all.
        batch: crops in each.
        learning_rate: at its highest.
        warm_up: steps until then; it falls as a cosine after that.
        weight_decay: of AdamW.
        clip: greatest norm of the gradient.
        first_guess_share: share of the steps that train backbone and first guess only, as SMPLer's
            first stage does; steps are three times as quick then.
        stage_weight: weight of the estimates before the last in the loss; SMPLer's is 0. Every
            block learns from its own error from the start then, which a short run needs.
        dense_weight: weight of the maps of joints, parts and surface that the finest features
            must show while training. They teach a backbone that knows no photos where things are.
        weights: of the loss' terms.
        vertex_step: every so manieth vertex is compared.
        bfloat16: whether convolutions and products run in it.
        ema: decay of the mean of weights that is evaluated and shipped.
        checkpoint_every: steps from one checkpoint to the next.
        evaluate_every: steps from one held-out evaluation to the next.
    """

    model: str = "smpler_nano"
    output: Path = Path("runs/nano")
    data: DataSettings = field(default_factory=DataSettings)
    seed: int = 0
    threads: int = 2
    steps: int = 10_000
    batch: int = 32
    learning_rate: float = 1e-3
    warm_up: int = 200
    weight_decay: float = 1e-4
    clip: float = 20.0
    first_guess_share: float = 0.4
    stage_weight: float = 1.0
    dense_weight: float = 1.0
    weights: LossWeights = field(default_factory=LossWeights)
    vertex_step: int = 16
    bfloat16: bool = True
    ema: float = 0.999
    checkpoint_every: int = 500
    evaluate_every: int = 2000

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "learning_rate", "checkpoint_every", "evaluate_every"):
            if getattr(self, name) <= 0:
                raise ValueError(
                    f"{name} must be positive, got {getattr(self, name)}; change the configuration"
                )
        if self.data.shards > self.data.held_out_seed:
            raise ValueError(
                f"shards must stay below held_out_seed {self.data.held_out_seed}, got "
                f"{self.data.shards}; training must not see the held-out seeds"
            )


def load_settings(path: str | Path, overrides: Sequence[str] = ()) -> TrainSettings:
    """Read a run's configuration.

    Args:
        path: of a YAML file with the fields of `TrainSettings`; what it leaves out is default.
        overrides: `field=value`, the value in YAML; fields of fields as `data.shards=2`.

    Raises:
        ValueError: an unknown field, or a value of the wrong type.
        FileNotFoundError: there is no such file.
    """
    content = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    for override in overrides:
        name, equals, value = override.partition("=")
        if not equals:
            raise ValueError(f"overrides must be field=value, got '{override}'; add a value")
        *outer, last = name.split(".")
        place = content
        for key in outer:
            place = place.setdefault(key, {})
        place[last] = yaml.safe_load(value)
    return settings_from_values(TrainSettings, content)


def settings_from_values(kind: type[Settings], values: object, where: str = "") -> Settings:
    """Build a settings dataclass from plain values, checking names and types.

    Raises:
        ValueError: an unknown field, or a value of the wrong type.
    """
    if not isinstance(values, Mapping):
        raise ValueError(
            f"{where or 'the configuration'} must be a mapping, got {values!r}; indent its fields"
        )
    types = typing.get_type_hints(kind)
    unknown = sorted(set(map(str, values)) - set(types))
    if unknown:
        raise ValueError(
            f"fields must be among {', '.join(types)}, got {where}{unknown[0]}; check its spelling"
        )
    read = {name: _read(types[name], value, f"{where}{name}") for name, value in values.items()}
    return kind(**read)


def plain_values(settings: Any) -> dict[str, Any]:  # noqa: ANN401 - any settings dataclass
    """Return settings as YAML can hold them; `settings_from_values` reads them back."""
    values = dataclasses.asdict(settings)
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return str(value) if isinstance(value, Path) else value


def _read(kind: Any, value: object, where: str) -> object:  # noqa: ANN401 - any annotation
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return settings_from_values(kind, value, f"{where}.")
    if kind is Path and isinstance(value, str):
        return Path(value)
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if type(value) is kind:
        return value
    raise ValueError(f"{where} must be {kind.__name__}, got {value!r}; change its value")
