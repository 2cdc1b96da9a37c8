"""The weights that ship with the package."""

from pathlib import Path

from smpler_model.body.arrays import BodyArrays
from smpler_model.body.builtin import load_builtin_body
from smpler_model.checkpoints.files import load_model
from smpler_model.network.config import find_model
from smpler_model.network.smpler import Smpler

DATA = Path(__file__).parents[1] / "data"
SHIPPED_MODELS = ("smpler_nano",)


def shipped_path(name: str) -> Path:
    """Return the file of a shipped model's weights.

    Raises:
        ValueError: no such model is shipped.
    """
    if name not in SHIPPED_MODELS:
        raise ValueError(
            f"shipped models are {', '.join(SHIPPED_MODELS)}, got '{name}'; for other models "
            "give a file's path"
        )
    return DATA / f"{name}.pt"


def find_checkpoint(model: str) -> Path:
    """Return the file of a model: the name of a shipped one, or a checkpoint's path.

    Raises:
        FileNotFoundError: there is no such file.
    """
    if model in SHIPPED_MODELS:
        return shipped_path(model)
    if not Path(model).is_file():
        raise FileNotFoundError(
            f"model must be {' or '.join(SHIPPED_MODELS)} or a checkpoint's path, got '{model}'; "
            "give the absolute path of an existing file"
        )
    return Path(model)


def load_shipped_model(name: str, body: BodyArrays | None = None) -> Smpler:
    """Build a shipped model with its weights, in evaluation mode.

    Args:
        name: one of `SHIPPED_MODELS`.
        body: body to pose; if None, the built-in one, with which the model was trained.

    Raises:
        ValueError: no such model is shipped.
        CheckpointError: its file does not fit.
        FileNotFoundError: its file is missing.
    """
    path = shipped_path(name)
    return load_model(path, config=find_model(name), body=body or load_builtin_body())
