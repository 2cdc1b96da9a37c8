"""Pictures of people: a rasteriser, shading, and overlays."""
