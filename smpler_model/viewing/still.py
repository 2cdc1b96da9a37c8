"""A moment as a page of its own, which needs no server."""

from smpler_model.viewing.moments import Moment
from smpler_model.viewing.page import open_page
from smpler_model.viewing.scene import Scene
from smpler_model.viewing.surfaces import BodySurface


def still_page(moment: Moment, surface: BodySurface) -> str:
    """Return the HTML of a page that shows a moment in 3D, images and program included.

    Args:
        moment: what it shows.
        surface: body of the people.

    Raises:
        ValueError: viser is not installed.
    """
    with open_page("", "localhost", 0) as page:
        Scene(page.server, surface).show(moment, {}, exact=True)
        html: str = page.server.scene.as_html()
    return html
