"""Measurements: each script prints one JSON line per figure, against a limit or a peer of the same run."""
