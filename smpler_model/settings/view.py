"""Settings of the command `view`, and of every page that shows people."""

from dataclasses import dataclass
from typing import ClassVar

from smpler_model.settings.run import RunSettings
from smpler_model.settings.setting import Settings, setting


@dataclass(frozen=True, kw_only=True)
class PageSettings(Settings):
    """Where a page is served."""

    part: ClassVar[str] = "Page"

    host: str = setting(
        "localhost",
        "Address at which the page is served; with 0.0.0.0, other machines can open it, too.",
    )
    port: int = setting(
        8080,
        "Port at which the page is served; if it is taken, the next free one; 0 for any.",
        minimum=0,
        maximum=65_535,
    )


@dataclass(frozen=True, kw_only=True)
class ViewSettings(PageSettings, RunSettings):
    """Settings of `view`: what it shows, and how it estimates people if it has no results."""

    part: ClassVar[str] = "View"

    images: str = setting(
        "",
        "Input that the people were estimated from, for its images.",
        is_path=True,
        unset="a bag's own, or the overlays beside the results",
    )
    frame: int | None = setting(
        None, "Show this frame and pause.", minimum=0, unset="play from the first"
    )
    open: bool = setting(False, "Open the page in the default browser.")
