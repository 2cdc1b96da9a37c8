"""Names of scene options. Imports nothing, so that settings can be checked at once."""

from typing import Literal

CameraMotion = Literal["still", "pan", "drive"]
"""The camera is still, pans, or drives back and forth."""

Background = Literal["room", "plain"]
"""A furnished room, or plain grey."""
