"""Error metrics of networks."""
