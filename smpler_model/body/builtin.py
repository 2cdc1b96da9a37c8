"""The body that ships with the project, for whoever has no SMPL file."""

from pathlib import Path

from smpler_model.body.arrays import BodyArrays
from smpler_model.body.smpl_file import load_smpl_file

BUILTIN_BODY_PATH = Path(__file__).parents[1] / "data" / "body.npz"


def load_builtin_body() -> BodyArrays:
    """Return the body that `synthetic.body_generator` makes, with its 17-joint regressor."""
    return load_smpl_file(BUILTIN_BODY_PATH)
