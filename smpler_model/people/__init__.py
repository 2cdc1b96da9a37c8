"""Who is who, where they stand, how they move, and how large errors are."""
