"""Shows the people of a running node in a browser."""
