"""The one kind of error a user is meant to read: what was found, what was expected, the nearest valid name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """A mistake in the configuration, the data or the command; its message is one line and needs no traceback."""


class AbsentError(InputError):
    """A file or folder that is not there: in a copy of a part of a data set that is no mistake."""


ABSENT = "absent"  # the stage that stores name for such a video; every other one says where a video failed


def expect_one_of(where: str, found: str, known: Iterable[str]) -> None:
    """InputError where the word of an option is none that it knows."""
    if found not in known:
        raise InputError(f"{where}: found '{found}', {nearest(found, known)}")


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence that lists the known names and the one that `name` was probably meant to be."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    listed = ", ".join(known) or "none"
    return f"did you mean '{close[0]}'? known: {listed}" if close else f"known: {listed}"
