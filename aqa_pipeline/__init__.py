"""From competition video to the score tables of the action quality assessment literature."""

__version__ = "0.1.0"
