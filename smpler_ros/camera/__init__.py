"""The synthetic camera, its bags, and the camera stand."""
