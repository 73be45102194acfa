"""Detectors, one a file: `build(...)` gives a callable from frames to candidate boxes."""
