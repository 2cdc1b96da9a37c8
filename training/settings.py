"""Settings of a training run."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from training.configuration import load_configuration
from training.data.data_settings import (
    CropData,
    MixedData,
    PhotoData,
    TsvData,
    find_crops,
)
from training.learning.losses import LossWeights

Device = Literal["auto", "cpu", "cuda"]

_OF_CROPS = (
    *("dense_share", "dense_weight", "dense_crops", "frame_weight"),
    *("refine_only", "vertex_step"),
)
_OF_CROPS_OR_PHOTOS = ("refined_crops", "early_size", "stage_weight")


@dataclass(frozen=True)
class TrainSettings:
    """A training run.

    Attributes:
        model: key of `config.MODELS`.
        last_modules: number of exchange modules in the last stage of a backbone with a layout of
            this package; 0 for the model's. Modules missing in `initial` start as the identity.
        backbone_width: channels of that backbone's finest branch; 0 for the model's. Channels
            missing in `initial` have no effect at first.
        crop_side: side of the network's input crops, pixels; 0 for the model's. `initial` may have
            been trained on others: the Transformer's position embeddings are interpolated.
        stage: `backbone` trains a model of backbone and regressor, SMPLer's first stage; `smpler`
            the whole network.
        output: folder for checkpoints, configuration and logs.
        data: training data.
        initial: initial checkpoint, of the previous stage or of this one.
        new_transformer: whether the Transformer is initialised anew even if `initial` has one.
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
        learning_rate: peak learning rate.
        head_learning_rate: peak learning rate of everything but the backbone; 0 for the
            backbone's. Heads that average over hundreds of inputs diverge at a high rate.
        correction_rate: learning rate of the layers that correct an estimate, relative to their
            heads'. Each of their outputs sums over all channels, so that Adam's steps, which have
            the same size for every weight, change an estimate far more than in other layers.
        still_share: fraction of the steps, at the start, in which the backbone is frozen, so that
            untrained heads do not disturb its pretrained weights. These steps are also faster.
        still_groups: number of first groups of blocks of a mobile backbone that stay frozen, with
            the convolution before them. Their pretrained features also suit drawings, and their
            gradients cost most because their maps are the largest.
        refine_only: whether to train the Transformer alone, with backbone and regressor frozen,
            which is faster. For crops, without dense maps.
        optimiser: `adam` for all weights; `muon` for the backbone's convolutions, with Adam for
            the rest. A backbone without pretrained weights learns several times faster with it.
        muon_rate: peak learning rate of Muon.
        schedule: `cosine` decays as half a cosine; `constant` is constant except for `fall_share`.
        fall_share: fraction of the steps, at the end, in which a constant rate decays as half a
            cosine. Before that, the total number of steps has no effect.
        warm_up: number of steps over which the rate rises.
        weight_decay: AdamW's weight decay; 0 for Adam.
        clip: maximum norm of the gradient; 0 for no clipping.
        dense_share: fraction of the steps, at the start, that train the dense maps alone: a
            backbone without pretrained weights learns from poses only once it recognises limbs.
            For crops.
        first_guess_share: fraction of the steps, after these, that train backbone and regressor
            only, as in SMPLer's first stage; they are faster.
        stage_weight: weight of the estimates before the last one in the loss; 0 in SMPLer. Every
            block then learns from its own error from the start, which short runs need.
        dense_weight: weight of the dense maps of joints, parts and vertex coordinates predicted
            from the features of crops. They teach a backbone without pretrained weights where
            things are.
        frame_weight: weight of the joints' rotations in the camera's frame, for crops. The model's
            own rotations are relative to their parents, so that otherwise a twisted spine can
            compensate for a wrong pelvis.
        length_weight: weight of the deviation from unit length of the columns of the blocks'
            corrections. The resulting rotation does not depend on the length, so nothing else
            limits it, and the longer the columns, the less a step rotates.
        refined_crops: number of crops of a process's batch for the Transformer, the first ones; 0
            for all.
        dense_crops: number of crops of a process's batch with dense maps, the first ones; 0 for
            all.
        early_size: side in pixels to which crops are shrunk while the Transformer is not trained,
            which is faster; 0 for no shrinking.
        weights: loss weights.
        vertex_step: every n-th vertex is compared, for crops.
        autocast: what runs in half precision: nothing, the backbone's convolutions, or the network
            except its rotations, body and camera.
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
    last_modules: int = 0
    backbone_width: int = 0
    crop_side: int = 0
    stage: Literal["backbone", "smpler"] = "smpler"
    output: Path = Path("runs/nano")
    data: CropData | TsvData | PhotoData | MixedData = field(default_factory=CropData)
    initial: Path | None = None
    new_transformer: bool = False
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
    learning_rate: float = 1e-3
    head_learning_rate: float = 0.0
    correction_rate: float = 1.0
    still_share: float = 0.0
    still_groups: int = 0
    refine_only: bool = False
    optimiser: Literal["adam", "muon"] = "adam"
    muon_rate: float = 0.02
    schedule: Literal["cosine", "constant"] = "cosine"
    fall_share: float = 0.0
    warm_up: int = 200
    weight_decay: float = 1e-4
    clip: float = 20.0
    dense_share: float = 0.0
    first_guess_share: float = 0.4
    stage_weight: float = 1.0
    dense_weight: float = 1.0
    frame_weight: float = 0.0
    length_weight: float = 0.0
    refined_crops: int = 0
    dense_crops: int = 0
    early_size: int = 0
    weights: LossWeights = field(default_factory=LossWeights)
    vertex_step: int = 16
    autocast: Literal["none", "backbone", "network"] = "backbone"
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
        rates = ("learning_rate", "muon_rate", "correction_rate")
        for name in (*counts, *rates, "log_every", "vertex_step"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}; raise it")
        not_negative = [
            "epochs",
            "last_modules",
            "backbone_width",
            "crop_side",
            "warm_up",
            "clip",
            "weight_decay",
            "stage_weight",
        ]
        not_negative += ["dense_weight", "frame_weight", "refined_crops", "dense_crops"]
        not_negative += ["head_learning_rate", "dense_share", "first_guess_share", "still_share"]
        not_negative += ["still_groups", "fall_share"]
        for name in not_negative:
            if getattr(self, name) < 0:
                raise ValueError(
                    f"{name} must not be negative, got {getattr(self, name)}; set it to 0 or more"
                )
        self._check_data()
        self._check_what_learns()
        if self.early_size % 32:
            raise ValueError(
                f"early_size must be a multiple of 32, got {self.early_size}; the backbone halves "
                "it five times"
            )
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema must be from 0 to below 1, got {self.ema}; 0 switches it off")

    def _check_data(self) -> None:
        needs = {name: "crops" for name in _OF_CROPS if find_crops(self.data) is None}
        if isinstance(self.data, TsvData):
            needs |= dict.fromkeys(_OF_CROPS_OR_PHOTOS, "crops or photos")
        for name, needed in needs.items():
            if getattr(self, name) not in (0, getattr(TrainSettings, name)):
                raise ValueError(f"{name} needs {needed}, got {self.data.kind}; leave it out")

    def _check_what_learns(self) -> None:
        others = self.dense_share + self.first_guess_share + self.dense_weight
        if self.refine_only and (self.stage != "smpler" or self.initial is None or others):
            raise ValueError(
                "refine_only needs stage smpler, an initial checkpoint, and dense_share, "
                "first_guess_share and dense_weight 0, as nothing else is trained; set these or "
                "leave refine_only out"
            )
        if self.dense_share and not self.dense_weight:
            raise ValueError(
                f"dense_share must be 0 if dense_weight is, got {self.dense_share}: such steps "
                "would train nothing; set dense_share to 0"
            )


def load_settings(path: str | Path, overrides: Sequence[str] = ()) -> TrainSettings:
    """Read a run's configuration; see `configuration.load_configuration`.

    Raises:
        ValueError: an unknown field, or a value of the wrong type.
        FileNotFoundError: there is no such file.
    """
    return load_configuration(TrainSettings, path, overrides)


def crop_data(settings: TrainSettings) -> CropData:
    """Return the settings of a run's crops.

    Raises:
        ValueError: it uses other data.
    """
    crops = find_crops(settings.data)
    if crops is None:
        raise ValueError(
            f"data must be crops, got {settings.data.kind}; use a run that trains on crops"
        )
    return crops
