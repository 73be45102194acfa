"""MIT-Skating: 150 programmes of figure skating in long broadcasts, with their scores.

The root is the folder into which the authors' archives are unpacked:

    action_quality_dataset/figure_skating/annotations/<video>.txt
    action_quality_dataset/figure_skating/videos/<video>.<any>      not read here
    cached/figure_skating/frames/<video>/<8 digits>.jpg             25 a second, counted from 1

Frame numbers are those of the videos at 25 frames a second, whatever the videos' own rate, so the frames must be
written first, as the authors' `dump_frames.m` does:

    ffmpeg -i <video> -r 25 -qscale:v 2 cached/figure_skating/frames/<video>/%08d.jpg

An annotation file begins with three lines that mean nothing here. After them a line with the word `A` (or any word that
begins with A and not with `A_`) is a programme, its first and last frame before that word; the first line with the word
`Score` after it, which must be the first or second that follows, gives its numbers. The first of them is the score.

    1234 5478 A
    5490 Score 71.25 38.1 33.15

Lines with neither word, and comments with `#`, are passed over. That much is certain from the authors'
`read_annotation.m` and from code that reads the files of the diving half; the files themselves were not seen by us, nor
what the numbers after the score are. Nothing is accepted but what that reader would read as it was meant.

The score is execution plus difficulty, but the difficulty is not told apart, so the execution score is the score. There
is no official split: papers draw 100 programmes for training, many times over. Of the 21 programmes that later papers
add (171 in all) nothing was released.

Source: Pirsiavash, Vondrick and Torralba, Assessing the quality of actions, ECCV 2014, and its code, release 1.0.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

from aqa_pipeline.datasets._table import finished, minus_difficulty, plus_difficulty
from aqa_pipeline.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

FPS = 25.0
HEADER = 3  # lines
LONGEST = 10**7  # frames: four days; a number beyond it is a mistake

counts = {"samples": 150}

compose = plus_difficulty
execution = minus_difficulty


def annotation_files(*, root: Path | str) -> list[Path]:
    """A text file a broadcast, or their folder where none is there."""
    folder = Path(root) / "action_quality_dataset/figure_skating/annotations"
    return sorted(folder.glob("*.txt")) or [folder]


def media(*, root: Path | str) -> dict[str, list[Path]]:
    """The folder of the frames."""
    return {"videos": [Path(root) / "cached/figure_skating/frames"]}


def samples(*, root: Path | str) -> pd.DataFrame:
    """One row a programme, `<video>_07` for the seventh of a broadcast."""
    import pandas as pd

    [frames] = media(root=root)["videos"]
    rows = []
    for path in annotation_files(root=root):
        for number, (first, last, score) in enumerate(read_annotation(path), start=1):
            rows.append(
                {
                    "video_id": f"{path.stem}_{number:02d}",
                    "path": str(frames / path.stem),
                    "first_frame": first,
                    "last_frame": last,
                    "score": score,
                    "broadcast": path.stem,
                }
            )
    table = pd.DataFrame(rows).assign(fps=FPS, action_type="figure_skating")
    return finished(table, annotation_files(root=root)[0])


def read_annotation(path: Path) -> list[tuple[int, int, float]]:
    """First frame, last frame and score of the programmes of one broadcast, in the file's order.

    Raises
    ------
    InputError
        Names the file and the line.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file, expected annotations of figure skating")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is no UTF-8, expected a text file") from None
    words = [re.split(r"[\s,]+", line.strip()) if "#" not in line else [] for line in lines]
    programmes = []
    for row in range(HEADER, len(lines)):
        at = _place(words[row], "A")
        if at is None:
            continue
        first, last = _frames(path, row, words[row][:at])
        scored = next(
            (i for i in range(row + 1, min(row + 3, len(lines))) if _place(words[i], "Score") is not None), None
        )
        if scored is None:
            raise InputError(f"{path}: line {row + 1}: no Score in the next two lines, expected that of the programme")
        programmes.append((first, last, _score(path, scored, words[scored])))
    return programmes


def _place(words: list[str], beginning: str) -> int | None:
    """Where the first word stands that begins like this, an underscore not following."""
    found = (i for i, w in enumerate(words) if w.startswith(beginning) and w[len(beginning) :][:1] != "_")
    return next(found, None)


def _frames(path: Path, row: int, words: list[str]) -> tuple[int, int]:
    numbers = [int(word) if re.fullmatch("[0-9]{1,8}", word) else -1 for word in words]
    if len(numbers) != 2 or not 1 <= numbers[0] <= numbers[1] < LONGEST:
        raise InputError(
            f"{path}: line {row + 1}: found {' '.join(words)!r} before A, expected first and last frame from 1"
        )
    return numbers[0], numbers[1]


def _score(path: Path, row: int, words: list[str]) -> float:
    word = (words[_place(words, "Score") + 1 :] or [""])[0]
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]*)?", word) or not math.isfinite(float(word)):
        raise InputError(f"{path}: line {row + 1}: found {word!r} after Score, expected a number")
    return float(word)
