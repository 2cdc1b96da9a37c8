"""What `make demo` runs, and what it shows in the end."""
