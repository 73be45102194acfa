"""Feature extractors, one a file: `build(...)` gives a callable to one feature sequence a video."""
