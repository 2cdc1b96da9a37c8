"""Tries a target in a process of its own, which may crash, hang or use too much memory."""

import faulthandler
import json
import linecache
import os
import resource
import subprocess
import sys
import traceback
import warnings
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from tests.fuzz.target import Target

COUNT = 1000
LONGEST_S = 10.0
MOST_MEMORY_KIB = 1 << 20
LONGEST_SENTENCE = 2000

_ROOT = Path(__file__).parents[2]
_PEAK_RESET = Path("/proc/self/clear_refs")  # writing 5 resets the peak (proc(5))
_ALL_MEMORY = 4 << 30  # bytes; larger allocations fail, to protect other programs
_MOST_FAULTS = 10


@dataclass(frozen=True)
class Fault:
    """A fault found with one input.

    Attributes:
        index: index of the input; -1 for the reader in general.
        text: description of the fault.
    """

    index: int
    text: str


def find_target(name: str) -> Target:
    """Return the target of a function, such as `calibrations:camera_info`."""
    module, _, function = name.partition(":")
    return cast(Target, getattr(import_module(f"tests.fuzz.{module}"), function)())


def try_target(name: str, *, count: int = COUNT, seed: int = 0, first: int = 0) -> list[Fault]:
    """Try inputs, and return the first few faults.

    A fault is an exception not raised on purpose, a refusal of more than one line, a warning, more
    than 1 GB of memory, more than 10 s, or the end of the process.
    """
    numbers = (count, seed, first, LONGEST_S, MOST_MEMORY_KIB)
    command = [sys.executable, "-m", "tests.fuzz.trial", name, *map(str, numbers)]
    with TemporaryDirectory() as folder:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=_ROOT,
            env=os.environ | {"TMPDIR": folder},
            check=False,
        )
    lines = done.stdout.splitlines()
    faults = [Fault(**json.loads(line)) for line in lines if line.startswith("{")]
    if done.returncode:
        begun = [line for line in lines if line.isdigit()]
        text = f"the process ended with {done.returncode}: {done.stderr.strip()[-3000:]}"
        faults.append(Fault(int(begun[-1]) if begun else -1, text))
    return faults


def _try_all(
    name: str, count: int, seed: int, first: int, longest_s: float, most_kib: int
) -> None:
    """Try inputs in this process: print the index of each before it is tried, and faults."""
    target = find_target(name)
    for sample in target.samples:
        target.read(sample)  # imports and caches everything, and shows that the sample is valid
    warnings.simplefilter("error")
    _limit_memory()
    faults = 0
    for index in range(first, first + count):
        content = target.input(seed, index)
        print(index, flush=True)
        _PEAK_RESET.write_text("5")
        before_kib = _peak_kib()
        faulthandler.dump_traceback_later(longest_s, exit=True)
        text = _try_one(target, content)
        faulthandler.cancel_dump_traceback_later()
        taken_kib = _peak_kib() - before_kib
        if taken_kib > most_kib:
            text = text or f"it took {taken_kib / (1 << 20):.1f} GB of memory"
        if text:
            faults += 1
            print(json.dumps(asdict(Fault(index, text))), flush=True)
        if faults == _MOST_FAULTS:
            return


def _try_one(target: Target, content: object) -> str:
    """Return the fault; empty if the reader accepted the input, or refused it properly."""
    try:
        target.read(content)
    except target.refusals as error:
        text = str(error)
        if not _is_on_purpose(error):
            return f"not raised on purpose:\n{_trace()}"
        if not text or "\n" in text or len(text) > LONGEST_SENTENCE:
            return f"must be a sentence, got {len(text)} letters: {text[:LONGEST_SENTENCE]!r}"
    except Exception:
        return _trace()
    return ""


def _trace() -> str:
    """Return the current exception's traceback, without the middle of a long one."""
    text = traceback.format_exc()
    return text if len(text) < 3000 else f"{text[:1500]}\n...\n{text[-1500:]}"


def _is_on_purpose(error: Exception) -> bool:
    """Return whether this project's code raised an error, rather than a library."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    line = linecache.getline(last.filename, last.lineno or 0).strip()
    return Path(last.filename).is_relative_to(_ROOT) and line.startswith("raise ")


def _limit_memory() -> None:
    present = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (present + _ALL_MEMORY, resource.RLIM_INFINITY))


def _peak_kib() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


if __name__ == "__main__":
    faulthandler.enable()
    name, *numbers, longest, most = sys.argv[1:]
    count, seed, first = map(int, numbers)
    _try_all(name, count, seed, first, float(longest), int(most))
