"""A moment as a self-contained page, which needs no server."""

from smpler_model.viewing.moments import Moment
from smpler_model.viewing.page import open_page
from smpler_model.viewing.scene import Scene
from smpler_model.viewing.surfaces import SkinnedSurface


def still_page(moment: Moment, surface: SkinnedSurface) -> str:
    """Return the HTML of a page that shows a moment in 3D, including the image and viewer code.

    Args:
        moment: the moment to show.
        surface: body of the people.

    Raises:
        ValueError: viser is not installed.
    """
    with open_page("", "localhost", 0) as page:
        Scene(page.server, surface).show(moment, {}, exact=True)
        html: str = page.server.scene.as_html()
    return html
