"""One thin command a file; all logic is importable from the other packages."""
