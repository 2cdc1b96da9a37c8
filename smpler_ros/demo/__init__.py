"""`make demo` and its report."""
