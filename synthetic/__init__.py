"""People, rooms and cameras made by the project itself, without anybody's data."""
