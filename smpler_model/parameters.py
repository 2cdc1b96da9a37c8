"""The one table of parameters: command line, node and bag evaluator all read it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

Value = bool | int | float | str | tuple[str, ...]
Values = Mapping[str, Value]


@dataclass(frozen=True)
class Parameter:
    """One setting that a user can change.

    Attributes:
        name: in snake case.
        default: value that also decides the type; a tuple is a list of strings.
        description: one sentence.
        unit: of the value; empty where it has none.
        minimum: least value allowed; None for no bound.
        maximum: greatest value allowed; None for no bound.
        choices: values allowed; empty for any.
        live: whether it can change while the node is active; otherwise it is read when the node
            is configured.
    """

    name: str
    default: Value
    description: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    live: bool = False

    def check(self, value: object) -> Value:
        """Return a value as the type of the default.

        Raises:
            ValueError: it is of another type, or outside its bounds or choices.
        """
        kind = type(self.default)
        if kind is tuple and isinstance(value, list | tuple) and _are_strings(value):
            return tuple(map(str, value))
        if kind is float and type(value) is int:
            value = float(value)
        if not isinstance(value, bool | int | float | str) or type(value) is not kind:
            raise ValueError(
                f"{self.name} must be of type {kind.__name__}, got {value!r}; change it"
            )
        self._check_range(value)
        return value

    def _check_range(self, value: bool | int | float | str) -> None:
        if self.choices and value not in self.choices:
            raise ValueError(
                f"{self.name} must be one of {', '.join(self.choices)}, got '{value}'; choose one"
            )
        if isinstance(value, str | bool):
            return
        low, high = self.minimum, self.maximum
        # Written so that NaN is refused, too.
        if not ((low is None or value >= low) and (high is None or value <= high)):
            raise ValueError(
                f"{self.name} must lie between {low} and {high}{self.unit and ' ' + self.unit}, "
                f"got {value}; change it"
            )


def _are_strings(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)


PARAMETERS = (
    Parameter("model", "smpler_nano", "Shipped model (smpler_nano), or path of a checkpoint."),
    Parameter(
        "body",
        "",
        "SMPL file, or folder of them; if empty, the body inside the checkpoint or the built-in "
        "one.",
    ),
    Parameter(
        "gender",
        "neutral",
        "Which body to take from a folder of SMPL files.",
        choices=("neutral", "male", "female"),
    ),
    Parameter(
        "device", "auto", "Where the network runs: auto, cpu, cuda, or one GPU such as cuda:1."
    ),
    Parameter(
        "threads",
        0,
        "Threads of the network on the CPU; 0 leaves it to PyTorch.",
        minimum=0,
        maximum=256,
    ),
    Parameter(
        "backend",
        "auto",
        "What runs the network; auto takes the fastest that is installed.",
        choices=(
            "auto",
            "plain",
            "eager",
            "compiled",
            "onnxruntime",
            "openvino",
            "cuda_graph",
        ),
    ),
    Parameter(
        "exported",
        "",
        "ONNX file that the command export wrote of this model and body, for the backend "
        "onnxruntime; if empty, it makes its own at the start.",
    ),
    Parameter(
        "precision",
        "auto",
        "Of the network's image maps; auto is half on a GPU, float32 on the CPU.",
        choices=("auto", "float32", "half"),
    ),
    Parameter(
        "detector",
        "torchvision",
        "What finds people: torchvision (weights are fetched once), onnx (a file of yours), "
        "motion (a still camera, no weights), full_image (one person fills the image).",
        choices=("torchvision", "onnx", "motion", "full_image"),
    ),
    Parameter(
        "detector_weights",
        "",
        "Weights file of the detectors torchvision and onnx; if empty, torchvision's own.",
    ),
    Parameter(
        "detection_score",
        0.5,
        "Less certain people are left out by the detectors torchvision and onnx.",
        minimum=0.01,
        maximum=0.99,
    ),
    Parameter(
        "fov",
        60.0,
        "Horizontal field of view that is assumed of a camera without calibration.",
        unit="degrees",
        minimum=1.0,
        maximum=179.0,
        live=True,
    ),
    Parameter(
        "crop_margin",
        1.2,
        "Side of the square crop over the longer side of a person's box.",
        minimum=1.0,
        maximum=3.0,
        live=True,
    ),
    Parameter(
        "max_people",
        16,
        "People in an image; the largest boxes are kept.",
        minimum=1,
        maximum=256,
        live=True,
    ),
    Parameter(
        "confirm_frames",
        2,
        "Images in a row that a person must be seen in to be reported.",
        minimum=1,
        maximum=100,
    ),
    Parameter(
        "lost_after",
        1.0,
        "A person who is not seen for this long is gone.",
        unit="s",
        minimum=0.05,
        maximum=60.0,
    ),
    Parameter(
        "min_iou",
        0.1,
        "Least overlap (intersection over union) of a box with where its person was expected.",
        minimum=0.0,
        maximum=1.0,
    ),
    Parameter(
        "coast",
        False,
        "Also report people who are hidden for a moment, at their predicted boxes.",
        live=True,
    ),
    Parameter(
        "smoothing",
        True,
        "Filter rotations, shape and position over time (One-Euro filters).",
        live=True,
    ),
    Parameter(
        "rotation_cutoff",
        1.5,
        "Cutoff of the rotations' filter at rest; lower is smoother and lags more.",
        unit="Hz",
        minimum=0.01,
        maximum=100.0,
        live=True,
    ),
    Parameter(
        "bearing_cutoff",
        2.0,
        "Cutoff at rest of the filter of the direction from the camera to the person.",
        unit="Hz",
        minimum=0.01,
        maximum=100.0,
        live=True,
    ),
    Parameter(
        "depth_cutoff",
        0.7,
        "Cutoff at rest of the filter of the distance from the camera.",
        unit="Hz",
        minimum=0.01,
        maximum=100.0,
        live=True,
    ),
    Parameter(
        "shape_time",
        3.0,
        "The body's shape is a mean over about this time.",
        unit="s",
        minimum=0.01,
        maximum=600.0,
        live=True,
    ),
)
"""What decides the pipeline."""


def default_values(parameters: Iterable[Parameter] = PARAMETERS) -> dict[str, Value]:
    """Return every parameter's default by name."""
    return {parameter.name: parameter.default for parameter in parameters}


def check_values(
    values: Mapping[str, object], parameters: Iterable[Parameter] = PARAMETERS
) -> dict[str, Value]:
    """Return all values by name, defaults where none is given.

    Raises:
        ValueError: an unknown name, or a value that its parameter refuses.
    """
    table = {parameter.name: parameter for parameter in parameters}
    check_names(values, table)
    return {
        name: parameter.check(values.get(name, parameter.default))
        for name, parameter in table.items()
    }


def check_names(names: Iterable[str], known: Collection[str]) -> None:
    """Refuse names that no parameter has.

    Raises:
        ValueError: an unknown name.
    """
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, 1)
            remedy = f"write '{near[0]}' if that is meant" if near else "check its spelling"
            raise ValueError(f"parameters are {', '.join(known)}, got '{name}'; {remedy}")
