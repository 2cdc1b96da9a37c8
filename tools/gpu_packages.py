"""Which packages a Python lacks: those that are asked for, and all that these need in turn.

Run by the Python in question, as `python tools/gpu_packages.py MODULE=DISTRIBUTION...`, with the
folder of packages that were added to it on its path. It prints requirements, one a line, for
`pip install --no-deps`; what they need is known once they are installed, so it is run again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import metadata
from importlib.util import find_spec
from typing import Any

LEFT_OUT = {"av", "opencv-python", "torch", "triton"}
"""Never installed: no video is read, OpenCV is the one without a display, and PyTorch is there."""

KEPT = {"numpy", "torchvision"}
"""Never replaced if they are there, whatever version others ask for: PyTorch was built for it."""


def find_missing(modules: Iterable[tuple[str, str]], path: list[str] | None = None) -> list[str]:
    """Return requirements of what is not installed, or too old.

    Args:
        modules: names of modules that are imported, and of the distributions that have them.
        path: where distributions are looked for; the usual places if None.
    """
    wanted = [name for module, name in modules if find_spec(module) is None or _find(name, path)]
    kinds = _import_packaging()
    if kinds is None:  # installed with the others, and then here
        return [name for name in wanted if _find(name, path) is None]
    missing: dict[str, Any] = {}
    waiting, seen = [kinds.Requirement(name) for name in wanted], set()
    while waiting:
        requirement = waiting.pop()
        name = requirement.name.lower().replace("_", "-").replace(".", "-")
        if str(requirement) in seen or name in LEFT_OUT or name.startswith("nvidia-"):
            continue
        seen.add(str(requirement))
        found = _find(requirement.name, path)
        if name == "torchvision" and found is None:
            requirement = kinds.Requirement(_torchvision_for(_find("torch", path)))
        fits = found and requirement.specifier.contains(found.version, prereleases=True)
        if found is None or not (fits or name in KEPT):
            missing[name] = missing.get(name, requirement.specifier) & requirement.specifier
            continue
        needs = _read_needs(found, kinds)
        extras = ("", *requirement.extras)
        waiting += [
            each
            for each in needs
            if not each.marker or any(each.marker.evaluate({"extra": extra}) for extra in extras)
        ]
    return sorted(f"{name}{specifier}" for name, specifier in missing.items())


def _read_needs(found: metadata.Distribution, kinds: Any) -> list[Any]:  # noqa: ANN401
    """Return what a distribution needs; what cannot be read, as of old packages, is named."""
    needs = []
    for text in found.requires or ():
        try:
            needs.append(kinds.Requirement(text))
        except kinds.InvalidRequirement:
            print(f"gpu: {found.name} needs '{text}', which cannot be read", file=sys.stderr)
    return needs


def _torchvision_for(torch: metadata.Distribution | None) -> str:
    """Return the requirement of the torchvision for a PyTorch: 0.28 is the one for 2.13."""
    major, minor = torch.version.split(".")[:2] if torch else ("", "")
    return f"torchvision==0.{int(minor) + 15}.*" if major == "2" else "torchvision"


def _find(name: str, path: list[str] | None) -> metadata.Distribution | None:
    """Return an installed distribution."""
    found = metadata.distributions(name=name, path=sys.path if path is None else path)
    return next(iter(found), None)


def _import_packaging() -> Any:  # noqa: ANN401 - of whichever package it is
    try:
        from packaging import requirements
    except ImportError:
        try:
            from pip._vendor.packaging import requirements  # type: ignore[no-redef]
        except ImportError:
            return None
    return requirements


if __name__ == "__main__":
    pairs = (argument.partition("=") for argument in sys.argv[1:])
    print(*find_missing((module, name) for module, _, name in pairs), sep="\n")
