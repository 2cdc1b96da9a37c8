"""Settings of a training run."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from training.configuration import (
    load_configuration,
    override,
    read_values,
    settings_from_values,
)
from training.data.data_settings import (
    CropData,
    MixedData,
    PhotoData,
    TsvData,
    find_crops,
    list_sources,
)
from training.learning.losses import LossWeights
from training.learning.trained_weights import Trained

Device = Literal["auto", "cpu", "cuda"]

WEIGHTS = "weights.pt"
"""What a run writes into its folder to evaluate, ship and begin with."""

_OF_CROPS = ("frame_weight", "shape_weight", "vertex_step")
_OF_CROPS_OR_PHOTOS = ("refined_crops", "stage_weight")


@dataclass(frozen=True)
class TrainSettings:
    """A training run.

    Attributes:
        model: key of `config.MODELS`.
        stage: `backbone` trains a model of backbone and regressor, SMPLer's first stage; `smpler`
            the whole network.
        output: folder for checkpoints, configuration and logs.
        data: training data.
        initial: initial checkpoint, of the previous stage or of this one.
        backbone_weights: pretrained weights of the backbone alone.
        body: SMPL file or folder of SMPL files; if None, the body of the initial checkpoint, or
            else the built-in one.
        regressor: `.npy` of the (17, 6890) joint regressor; the body's if None.
        mean_parameters: `smpl_mean_params.npz`; an upright rest pose if None.
        seed: random seed of weights, order, augmentation and dropout.
        threads: PyTorch's CPU threads per process.
        device: `auto` is a GPU if there is one, else the CPU.
        steps: total number of weight updates.
        epochs: passes over the data; replaces `steps` if positive.
        batch: number of people in one forward pass of one process.
        accumulate: forward passes per update.
        optimiser: `adamw` for all weights; `muon` for the matrices of linear layers and
            convolutions and AdamW for the rest, at the same rates, see `learning.muon`.
        learning_rate: peak learning rate.
        relative_rates: whether the backbone's learning rate is relative to the root mean square of
            each of its weight arrays. Where norms are folded into convolutions, as in MoveNet's
            weights, their sizes differ by a factor of a thousand, and one rate for all destroys
            the smallest within a few hundred steps.
        head_learning_rate: peak learning rate of everything but the backbone; 0 for the
            backbone's. Heads that average over hundreds of inputs diverge at a high rate.
        correction_rate: learning rate of the layers that correct an estimate, relative to their
            heads'. Each of their outputs sums over all channels, so that Adam's steps, which have
            the same size for every weight, change an estimate far more than in other layers.
        still_share: fraction of the steps, at the start, in which the backbone is frozen, so that
            untrained heads do not disturb its pretrained weights. These steps are also faster.
        first_guess_feedback: whether the first guess of a model with a mobile backbone gets the
            offsets to the keypoints, as the blocks do. It is then almost as good as the last
            estimate, so that the blocks learn little. A run may begin with weights of either kind:
            superfluous feedback is left out, missing feedback starts at zero. None: as these
            weights, or the model itself, have it.
        turn_feedback: whether the blocks of a model with a mobile backbone get, for each bone, the
            turn that would bring it to its keypoints, see `smpler_model.network.turn_feedback`.
            Offsets in the image alone do not say which rotation takes a joint there. Otherwise as
            `first_guess_feedback`.
        trained: which weights are trained, while the others stay as they are: `all`; `pose`, where
            a mobile backbone is frozen except its pose branch, so that it finds keypoints as well
            as before, and steps are faster, as the largest maps need no gradients; `keypoints`,
            what finds them alone, by losses of its own, see `learning.keypoint_objective`;
            `transformer`, which refines the first guess, and the alignment with keypoints;
            `alignment` with keypoints alone, see `smpler_model.network.bone_turning`.
        schedule: `cosine` decays as half a cosine; `constant` keeps the peak rate.
        warm_up: number of steps over which the rate rises.
        weight_decay: decoupled weight decay, as in AdamW.
        clip: maximum norm of the gradient; 0 for no clipping.
        stage_weight: weight of the estimates before the last one in the loss; 0 in SMPLer. Every
            block then learns from its own error from the start, which short runs need.
        unaligned: whether the last block's estimate counts as one of them before it is aligned
            with keypoints. Otherwise the block only learns what the alignment leaves to it.
        frame_weight: weight of the joints' rotations in the camera's frame, for crops. The model's
            own rotations are relative to their parents, so that otherwise a twisted spine can
            compensate for a wrong pelvis.
        shape_weight: weight of the distances of the unposed joints, per metre, for crops. Without
            it, the estimate of an unsure pose is a small body.
        length_weight: weight of the deviation from unit length of the columns of the blocks'
            corrections. The resulting rotation does not depend on the length, so nothing else
            limits it, and the longer the columns, the less a step rotates.
        refined_crops: number of crops of a process's batch for the Transformer, the first ones; 0
            for all.
        weights: loss weights.
        vertex_step: every n-th vertex is compared, for crops.
        autocast: what runs in half precision: nothing, the backbone's convolutions, or the network
            except its rotations, body and camera. A processor without bfloat16 instructions needs
            eight to twenty times as long for it.
        autocast_type: autocast's data type.
        tf32: whether a GPU may round the factors of float32 products to 10 bits, which is several
            times faster.
        channels_last: whether images and convolutions use the channels-last memory layout.
        compile: whether to compile the backbone.
        sync_batch_norm: whether several processes share the statistics of batch norms.
        ema: decay of the moving average of weights, which is evaluated and shipped; 0 ships the
            last weights.
        checkpoint_every: number of steps between checkpoints.
        evaluate_every: number of steps between validations.
        log_every: number of steps between log entries in TensorBoard.
    """

    model: str = "smpler_nano"
    stage: Literal["backbone", "smpler"] = "smpler"
    output: Path = Path("runs/nano")
    data: CropData | TsvData | PhotoData | MixedData = field(default_factory=CropData)
    initial: Path | None = None
    backbone_weights: Path | None = None
    body: Path | None = None
    regressor: Path | None = None
    mean_parameters: Path | None = None
    seed: int = 0
    threads: int = 2
    device: Device = "auto"
    steps: int = 10_000
    epochs: int = 0
    batch: int = 32
    accumulate: int = 1
    optimiser: Literal["adamw", "muon"] = "adamw"
    learning_rate: float = 1e-3
    relative_rates: bool = False
    head_learning_rate: float = 0.0
    correction_rate: float = 1.0
    still_share: float = 0.0
    first_guess_feedback: bool | None = None
    turn_feedback: bool | None = None
    trained: Trained = "all"
    schedule: Literal["cosine", "constant"] = "cosine"
    warm_up: int = 200
    weight_decay: float = 1e-4
    clip: float = 20.0
    stage_weight: float = 1.0
    unaligned: bool = False
    frame_weight: float = 0.0
    shape_weight: float = 0.0
    length_weight: float = 0.0
    refined_crops: int = 0
    weights: LossWeights = field(default_factory=LossWeights)
    vertex_step: int = 16
    autocast: Literal["none", "backbone", "network"] = "none"
    autocast_type: Literal["bfloat16", "float16"] = "bfloat16"
    tf32: bool = False
    channels_last: bool = True
    compile: bool = False
    sync_batch_norm: bool = True
    ema: float = 0.999
    checkpoint_every: int = 500
    evaluate_every: int = 2000
    log_every: int = 50

    def __post_init__(self) -> None:
        counts = ("steps", "batch", "accumulate", "checkpoint_every", "evaluate_every", "threads")
        rates = ("learning_rate", "correction_rate")
        for name in (*counts, *rates, "log_every", "vertex_step"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}; raise it")
        not_negative = ("epochs", "warm_up", "clip", "weight_decay", "head_learning_rate")
        shares = ("still_share", "refined_crops")
        weights = [f"{name}_weight" for name in ("stage", "frame", "shape", "length")]
        for name in (*not_negative, *shares, *weights):
            if getattr(self, name) < 0:
                raise ValueError(
                    f"{name} must not be negative, got {getattr(self, name)}; set it to 0 or more"
                )
        self._check_data()
        if self.trained in ("keypoints", "transformer", "alignment") and self.still_share:
            raise ValueError(
                f"`trained: {self.trained}` needs still_share to be 0, as all of a run trains the "
                f"same, got {self.still_share}; set it to 0"
            )
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema must be from 0 to below 1, got {self.ema}; 0 switches it off")

    def _check_data(self) -> None:
        needs = {name: "crops" for name in _OF_CROPS if not find_crops(self.data)}
        if isinstance(self.data, TsvData):
            needs |= dict.fromkeys(_OF_CROPS_OR_PHOTOS, "crops or photos")
        kinds = [source.kind for source in list_sources(self.data)]
        if self.trained == "keypoints" and "tsv" in kinds:
            raise ValueError(
                f"`trained: keypoints` needs crops or photos, got {' and '.join(kinds)}; set "
                "trained to all, or leave tsv out"
            )
        for name, needed in needs.items():
            if getattr(self, name) not in (0, getattr(TrainSettings, name)):
                raise ValueError(f"{name} needs {needed}, got {self.data.kind}; leave it out")


def load_settings(path: str | Path, overrides: Sequence[str] = ()) -> TrainSettings:
    """Read the configuration of a run, that of its last phase where it has several.

    Raises:
        ValueError: an unknown field, or a value of the wrong type.
        FileNotFoundError: there is no such file.
    """
    return load_phases(path, overrides)[-1]


def load_phases(path: str | Path, overrides: Sequence[str] = ()) -> list[TrainSettings]:
    """Read the phases of a run, one after another; most runs are one.

    `phases` in the file lists, for each phase, its `name` and the fields that differ from the
    file's own. A phase writes into the folder of that name below `output`, and begins with the
    weights of the phase before.

    Args:
        path: YAML file with the fields of `TrainSettings`.
        overrides: `field=value` for all phases, see `configuration.load_configuration`.

    Raises:
        ValueError: an unknown field, a value of the wrong type, or a phase without a name.
        FileNotFoundError: there is no such file.
    """
    common = read_values(path)
    phases = common.pop("phases", None)
    if phases is None:
        return [load_configuration(TrainSettings, path, overrides)]
    if not isinstance(phases, list) or not all(
        isinstance(p, dict) and "name" in p for p in phases
    ):
        raise ValueError(
            f"phases of {path} must be a list in which each has a name, got {phases!r}"
        )
    settings: list[TrainSettings] = []
    for phase in phases:
        values = override({**common, **phase}, overrides)
        folder = Path(values.get("output", TrainSettings.output))
        values["output"] = str(folder / str(values.pop("name")))
        if settings:
            values["initial"] = str(settings[-1].output / WEIGHTS)
        settings.append(settings_from_values(TrainSettings, values))
    return settings


def crop_data(settings: TrainSettings) -> tuple[CropData, ...]:
    """Return the settings of a run's crops, of each source of them.

    Raises:
        ValueError: it uses other data.
    """
    crops = find_crops(settings.data)
    if not crops:
        raise ValueError(
            f"data must be crops, got {settings.data.kind}; use a run that trains on crops"
        )
    return crops
