"""A reader with every fault that a trial must detect, selected by its input."""

import os
import time

import numpy as np

from tests.fuzz.target import Target

MANNERS = ("taken", "refused", "by accident", "lines", "traceback", "warning", "memory")


def manners() -> Target:
    return Target(_read, [b""], lambda sample, random, samples: random.choice(MANNERS).encode())


def hang() -> Target:
    return Target(_read, [b""], lambda sample, random, samples: b"hang")


def crash() -> Target:
    return Target(_read, [b""], lambda sample, random, samples: b"crash")


def _read(content: bytes) -> None:
    match content.decode():
        case "refused":
            raise ValueError("expected another input, got this one; change it")
        case "by accident":
            int("one")
        case "lines":
            raise ValueError("expected\nanother")
        case "traceback":
            os.environ["NO_SUCH_NAME"]
        case "warning":
            np.float64(1) / np.float64(0)
        case "memory":
            np.ones(26 << 20)
        case "hang":
            time.sleep(60)
        case "crash":
            os.abort()
