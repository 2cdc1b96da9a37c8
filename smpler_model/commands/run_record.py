"""A record of a run's input, stored with the results so that they are not mistaken for others."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from smpler_model.atomic_files import write_text_atomically

RUN_RECORD = "run.json"
"""Name of the file in a run's folder."""


@dataclass(frozen=True)
class RunRecord:
    """The input of a run.

    Attributes:
        input: absolute path of the input, or the number of a camera.
        complete: whether the input is known to have been read to its end.
        image_topic: topic of a bag that was read; empty for other inputs and where it is unknown.
    """

    input: str
    complete: bool = False
    image_topic: str = ""

    @property
    def is_live(self) -> bool:
        """Whether the input was a camera."""
        return self.input.isdecimal()

    def save(self, folder: Path) -> None:
        """Write the record into a run's folder, in place of an earlier one.

        Raises:
            OSError: it cannot be written.
        """
        write_text_atomically(folder / RUN_RECORD, json.dumps(asdict(self)) + "\n")


def read_run_record(folder: Path) -> RunRecord | None:
    """Return the record in a run's folder; None for runs of versions that wrote none.

    Raises:
        ValueError: the file is something else.
        OSError: it cannot be read.
    """
    path = folder / RUN_RECORD
    if not path.is_file():
        return None
    try:
        fields = json.loads(path.read_text())
        return RunRecord(
            str(fields["input"]), bool(fields["complete"]), str(fields.get("image_topic", ""))
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} must be the record of a run, got something else ({error}); remove it, or "
            "estimate people again with --overwrite"
        ) from error
