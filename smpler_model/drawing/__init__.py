"""Images of people: a rasteriser, shading, and overlays."""
