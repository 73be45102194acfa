"""MTL-AQA: 1412 dives of 15 competition videos, with seven judges and the parts of every dive.

As released, under `root` (annotations in the root itself, in `Ready_2_Use/MTL-AQA_split_0_data` with or without
`MTL-AQA_dataset_release` before it, or in `info` or `data/info` as other repositories keep them):

    final_annotations_dict_with_dive_number.pkl   by (video, dive), CoRe's copy: with judges and dive number
    augmented_final_annotations_dict.pkl          MUSDL's copy: with judges
    final_annotations_dict.pkl                    the authors' own
    {train,test}_split_0.pkl                      1059 and 353 dives
    final_captions_dict.pkl                       words of the commentary, for those systems that learn to say them
    [Raw_Annotations/]<video>.xlsx                the sheets that all was made from, in any of the folders above them

The first of the three dictionaries that is there is read. The sheets give the judges where it lacks them, and
everything where there is none. Their running number is the dive's number in the dictionary: on all fifteen sheets
frames, score, difficulty and parts of the 1412 dives agree, and the judges of all but two, where the sheet is mistyped.

Pictures, the first that is there: one folder a video (`whole_videos_frames/<video>/<6 digits>.jpg`, or CoRe's
`new/new_total_frames_256s/<video>/<8 digits>.jpg`), one folder a dive (MUSDL's `frames/<video>_<dive>/`), or the
untrimmed videos (`whole_videos/<video>.mp4`). Numbers of videos have two digits.

The dive (3, 21) is the video `03.021`, as in FineDiving.

Source: Parmar and Morris, What and how well you performed?, CVPR 2019; Tang et al., USDL/MUSDL, CVPR 2020 (judges);
Yu et al., CoRe, ICCV 2021 (dive numbers).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aqa_pipeline import dive_numbers
from aqa_pipeline.datasets import _diving
from aqa_pipeline.datasets._diving import FPS, Field
from aqa_pipeline.datasets._table import finished, first_folder, over_difficulty, times_difficulty
from aqa_pipeline.errors import InputError, nearest
from aqa_pipeline.untrusted import read_xlsx, shown

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger("aqa_pipeline")

counts = {
    "samples": 1412,
    "train": 1059,
    "test": 353,
    "broadcasts": 15,
    "events": 15,
    "action_types": 58,
    "difficulties": 23,
}

CLIPS = ("last_103", "annotated")
N_FRAMES = 103  # that the authors' loader reads, and all after them
N_JUDGES = 7

compose = times_difficulty
execution = over_difficulty
judged = _diving.panel_score

_RELEASE = "MTL-AQA_dataset_release"
_READY = "Ready_2_Use/MTL-AQA_split_0_data"
_FOLDERS = ("", f"{_RELEASE}/{_READY}", _READY, "info", "data/info")
_SHEET_FOLDERS = (f"{_RELEASE}/Raw_Annotations", "Raw_Annotations", "")
_DICTIONARIES = (
    "final_annotations_dict_with_dive_number.pkl",
    "augmented_final_annotations_dict.pkl",
    "final_annotations_dict.pkl",
)
_WITHOUT_JUDGES = _DICTIONARIES[2]
_SPLITS = {"train": "train_split_0.pkl", "test": "test_split_0.pkl"}
_CAPTIONS = "final_captions_dict.pkl"
_MARKS = ("<sos>", "<eos>")  # of beginning and end, around every caption
_FRAMES = ("new/new_total_frames_256s", "new_total_frames_256s", "frames")
_VIDEOS = "whole_videos"
_SUFFIXES = (".mp4", ".mkv", ".webm", ".avi", ".mov")

_LEFT_OUT = {(17, 149)}  # in view s, yet in no dictionary: scored 4.95 where the judges' marks make 24.75

_ROTATIONS = {0: 2, 1: 1, 2: 4, 3: 3}  # back, forward, inward, reverse, to the directions of dive numbers
_POSITIONS = {0: "d", 1: "b", 2: "c"}  # free, pike, tuck
_FIELDS = {
    "first_frame": Field("start_frame", _diving.whole, "a frame number"),
    "last_frame": Field("end_frame", _diving.whole, "a frame number"),
    "position": Field("position", lambda value: _POSITIONS.get(_diving.whole(value)), "0 free, 1 pike or 2 tuck"),
    "armstand": Field("armstand", lambda value: {0: False, 1: True}.get(_diving.whole(value)), "0 or 1"),
    "direction": Field("rotation_type", lambda value: _ROTATIONS.get(_diving.whole(value)), "0 to 3"),
    "half_somersaults": Field("ss_no", lambda value: _digit(value), "0 to 9"),
    "half_twists": Field("tw_no", lambda value: _digit(value), "0 to 9"),
    "difficulty": Field("difficulty", _diving.positive, "a number above 0"),
    "score": Field("final_score", _diving.number, "a number"),
    "judge_scores": Field("judge_scores", lambda value: _panel(value), "seven marks", optional=True),
    "dive_number": Field("dive_number", _diving.text, "a dive number", optional=True),
}

Key = tuple[int, int]  # video and dive


def annotation_files(*, root: Path | str, clip: str = "last_103", frames: str = "whole_videos_frames") -> list[Path]:
    """The dictionary, splits, captions, and sheets where they are needed; what is expected where nothing is there."""
    root = Path(root)
    dictionary, sheets, captions = _dictionary(root), _sheets(root), _find(root, _CAPTIONS)
    said = [captions] if captions else []
    if dictionary is None:
        return [*sheets.values(), *said] if sheets else [root / _RELEASE / _READY / _WITHOUT_JUDGES]
    judged = sheets.values() if dictionary.name == _WITHOUT_JUDGES else ()
    return [dictionary, *_splits(root).values(), *said, *judged]


def media(*, root: Path | str, clip: str = "last_103", frames: str = "whole_videos_frames") -> dict[str, list[Path]]:
    """Folders of pictures or untrimmed videos, one of which must be there."""
    return {"videos": [Path(root) / name for name in (frames, *_FRAMES, _VIDEOS)]}


def samples(*, root: Path | str, clip: str = "last_103", frames: str = "whole_videos_frames") -> pd.DataFrame:
    """One row a dive, the official split in `part`; the video is group, event and broadcast.

    `clip` is `last_103`, the 103 frames that end with the annotated end and often begin before its start, as all
    published systems read them; or `annotated`, from start to end.

    Parameters
    ----------
    frames : folder of the pictures below `root`, where it bears another name
    """
    import pandas as pd

    root = Path(root)
    if clip not in CLIPS:
        raise InputError(f"clip: found {clip!r}, {nearest(str(clip), CLIPS)}")
    dives, problems = _dives(root)
    for video_id, kind, text in problems:
        log.warning("%s: %s: %s", video_id, kind, text)
    pictures = _Pictures(root, frames)
    table = pd.DataFrame([_row(key, dive, clip, pictures) for key, dive in sorted(dives.items())])
    splits = _splits(root)
    if splits:
        parts = _diving.read_parts(splits, _expect_key)
        unknown = sorted(set(parts) - set(dives))
        if unknown:
            log.warning("%s: the splits name %d dives without annotation, first %s", root, len(unknown), unknown[0])
        table["part"] = [parts.get(key) for key in sorted(dives)]
    captions = _captions(root)
    if captions:
        table["caption"] = [captions.get(key) for key in sorted(dives)]
    return finished(table, root)


def label_errors(
    *, root: Path | str, clip: str = "last_103", frames: str = "whole_videos_frames"
) -> Iterator[tuple[str, str, str]]:
    """Video id, kind and text of what the files say twice and differently, or cannot mean.

    Kinds: of the sheets `unusable_row`, `unusable_marks`, `unusable_dive_number`, `mistyped_mark`; `impossible_mark` of
    a judge; `dive_number_conflict` between the dictionary's number and its parts; `left_out` by every dictionary though
    its row can be used; `row_without_annotation` and `caption_without_annotation` of a dive that the dictionary
    lacks; `sheet_conflict` between sheet and dictionary.
    """
    root = Path(root)
    dictionary = _read_dictionary(root)
    rows, problems = _read_sheets(root)
    yield from problems
    for key, dive in sorted(_joined(root, dictionary, rows).items()):
        for mark in _diving.impossible_marks(dive.get("judge_scores")):
            yield _video_id(key), "impossible_mark", f"judge's mark {mark:g}, expected 0 to 10 in halves"
        if dive.get("dive_number", _number_of(dive)) != _number_of(dive):
            text = f"dive number {dive['dive_number']}, its parts make {_number_of(dive)}"
            yield _video_id(key), "dive_number_conflict", text
    for key in sorted(_LEFT_OUT & rows.keys()):
        yield _video_id(key), "left_out", f"score {rows[key]['score']:g} in the sheet; no dictionary has the dive"
    if dictionary is not None:
        yield from _missing(root, dictionary, rows)
        yield from _conflicts(rows, dictionary)


def _missing(root: Path, dictionary: dict[Key, dict], rows: dict[Key, dict]) -> Iterator[tuple[str, str, str]]:
    for key in sorted(rows.keys() - dictionary.keys() - _LEFT_OUT):
        yield _video_id(key), "row_without_annotation", "stands in the sheet, not in the dictionary"
    for key in sorted(_captions(root).keys() - dictionary.keys()):
        yield _video_id(key), "caption_without_annotation", "has a caption, does not stand in the dictionary"


def _conflicts(rows: dict[Key, dict], dictionary: dict[Key, dict]) -> Iterator[tuple[str, str, str]]:
    for key in sorted(rows.keys() & dictionary.keys()):
        row, dive = rows[key], dictionary[key]
        for name in row:
            if name in dive and row[name] != dive[name]:
                yield _video_id(key), "sheet_conflict", f"{name}: sheet {row[name]}, dictionary {dive[name]}"


def _find(root: Path, name: str) -> Path | None:
    """The file of that name in the first folder that has it."""
    return next((path for folder in _FOLDERS if (path := root / folder / name).is_file()), None)


def _dictionary(root: Path) -> Path | None:
    return next((path for name in _DICTIONARIES if (path := _find(root, name))), None)


def _splits(root: Path) -> dict[str, Path]:
    return {part: path for part, name in _SPLITS.items() if (path := _find(root, name))}


def _sheets(root: Path) -> dict[int, Path]:
    """Sheet by video, of the first folder that has any."""
    for folder in _SHEET_FOLDERS:
        found = {int(p.stem): p for p in sorted((root / folder).glob("*.xlsx")) if re.fullmatch(r"[0-9]{2}", p.stem)}
        if found:
            return found
    return {}


def _dives(root: Path) -> tuple[dict[Key, dict[str, Any]], list[tuple[str, str, str]]]:
    """Every dive as dictionary or sheets have it, and what in the sheets was of no use."""
    dictionary = _read_dictionary(root)
    if dictionary is not None and all("judge_scores" in dive for dive in dictionary.values()):
        return dictionary, []
    rows, problems = _read_sheets(root)
    return _joined(root, dictionary, rows), problems


def _joined(root: Path, dictionary: dict[Key, dict] | None, rows: dict[Key, dict]) -> dict[Key, dict[str, Any]]:
    """The dictionary with judges from the sheets where it has none; the sheets where there is no dictionary."""
    if dictionary is not None:
        judges = {key: {"judge_scores": row["judge_scores"]} for key, row in rows.items() if "judge_scores" in row}
        return {key: judges.get(key, {}) | dive for key, dive in dictionary.items()}
    if not rows:
        raise InputError(f"{root}: neither one of {', '.join(_DICTIONARIES)} nor a sheet with a dive is there")
    return {key: row for key, row in rows.items() if key not in _LEFT_OUT}


def _read_dictionary(root: Path) -> dict[Key, dict[str, Any]] | None:
    path = _dictionary(root)
    if path is None:
        return None
    dives = {}
    for key, entry in _diving.read_dict(path).items():
        known = _expect_key(path, key)
        where = f"{path}: dive {known}"
        dive = _diving.checked(where, entry, _FIELDS)
        if dive["first_frame"] > dive["last_frame"]:
            found = f"{dive['first_frame']} to {dive['last_frame']}"
            raise InputError(f"{where}: frames {found}, expected the first before the last")
        dives[known] = dive
    return dives


def _expect_key(path: Path, key: Any) -> Key:
    if isinstance(key, tuple) and len(key) == 2:
        video, dive = map(_diving.whole, key)
        if video is not None and dive is not None:
            return video, dive
    raise InputError(f"{path}: dive {shown(key)}, expected a pair of video and dive number")


def _captions(root: Path) -> dict[Key, str]:
    """What is said of each dive, its words with blanks between them; nothing where there is no such file."""
    path = _find(root, _CAPTIONS)
    found = _diving.read_dict(path) if path else {}
    return {(known := _expect_key(path, key)): _sentence(path, known, words) for key, words in found.items()}


def _sentence(path: Path, key: Key, words: Any) -> str:
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise InputError(f"{path}: caption of dive {key} is {shown(words)}, expected a list of words")
    return " ".join(word for word in words if word not in _MARKS)


def _digit(value: Any) -> int | None:
    found = _diving.whole(value)
    return found if found is not None and found <= 9 else None


def _panel(value: Any) -> list[float] | None:
    found = _diving.numbers(value)
    return found if found is not None and len(found) == N_JUDGES else None


def _number_of(dive: dict[str, Any]) -> str | None:
    """Dive number made of the parts; None where one is missing."""
    parts = ("direction", "half_somersaults", "half_twists", "position", "armstand")
    return dive_numbers.write(**{p: dive[p] for p in parts}) if all(p in dive for p in parts) else None


def _video_id(key: Key) -> str:
    return f"{key[0]:02d}.{key[1]:03d}"


def _row(key: Key, dive: dict[str, Any], clip: str, pictures: _Pictures) -> dict[str, Any]:
    video, number = key
    first, last = dive["first_frame"], dive["last_frame"]
    path, first, last = pictures.of(key, max(1, last - N_FRAMES + 1) if clip == "last_103" else first, last)
    return {
        "video_id": _video_id(key),
        "path": str(path),
        "first_frame": first,
        "last_frame": last,
        "fps": FPS,
        "action_type": dive.get("dive_number", _number_of(dive)),
        "difficulty": dive["difficulty"],
        "judge_scores": dive.get("judge_scores"),
        "score": dive["score"],
        "group": f"{video:02d}",
        "event": f"{video:02d}",
        "broadcast": f"{video:02d}",
        "identity": f"mtl_aqa/{video:02d}/{number:03d}",
    }


class _Pictures:
    """Where the pictures of a dive lie, in the layout that is at hand."""

    def __init__(self, root: Path, frames: str) -> None:
        self._folder = first_folder([root / name for name in (frames, *_FRAMES)])
        self._a_dive = self._folder.is_dir() and any(
            re.fullmatch(r"\d\d_\d\d+", entry.name) for entry in self._folder.iterdir()
        )
        videos = [] if self._folder.is_dir() else sorted((root / _VIDEOS).glob("*"))
        self._videos = {path.stem: path for path in videos if path.suffix.lower() in _SUFFIXES}

    def of(self, key: Key, first: int, last: int) -> tuple[Path, int | None, int | None]:
        """Path and the numbers of the first and last frame; files are numbered from 1, frames in a video from 0.

        A folder that holds one dive is read whole: its pictures were cut and numbered by whoever made it.
        """
        video = f"{key[0]:02d}"
        if self._a_dive:
            return self._folder / f"{video}_{key[1]:02d}", None, None
        if video in self._videos:
            return self._videos[video], max(0, first - 1), max(0, last - 1)
        return self._folder / video, first, last


# The sheets: one row a view of a dive, of which only the first, with the running number, says more than its frames.

_COLUMNS = {
    "number": ("srno", "diveno"),
    "view": ("view", "camera", "angle"),
    "first_frame": ("start",),
    "last_frame": ("end",),
    "position": ("position",),
    "difficulty": ("difficulty",),
    "armstand": ("armstand",),
    "direction": ("rotation",),
    "half_somersaults": ("#ss",),
    "half_twists": ("#tw",),
    "score": ("finalscore", "totalscore"),
    "judge_scores": ("scores", "individual", "judge1"),
}
"""How the headers of the fifteen sheets begin, without blanks and points; the marks begin in the last of them."""

_WRITTEN = r"[0-9]{1,9}([.,][0-9]{1,9})?"  # a number as text

_PARTS = {
    "position": lambda cell: {"f": "d", "d": "d", "p": "b", "b": "b", "t": "c", "c": "c", "s": "a", "a": "a"}.get(
        _letter(cell)
    ),
    "armstand": lambda cell: {0: False, 1: True}.get(_cell_number(cell)),
    "direction": lambda cell: {"f": 1, "b": 2, "r": 3, "i": 4}.get(_letter(cell)),
    "half_somersaults": lambda cell: _halves(cell),
    "half_twists": lambda cell: _halves(cell),
}


def _read_sheets(root: Path) -> tuple[dict[Key, dict[str, Any]], list[tuple[str, str, str]]]:
    """The dives of all sheets, with the fields of a dictionary as far as they can be read, and what cannot be."""
    dives: dict[Key, dict[str, Any]] = {}
    problems: list[tuple[str, str, str]] = []
    for video, path in _sheets(root).items():
        for line, cells, marks in _rows(path):
            number = _diving.whole(_cell_number(cells["number"])) or 0
            dive, reasons = _dive(cells, marks)
            if number == 0 or (video, number) in dives:
                text = f"number {shown(cells['number'])}, expected one of its own from 1"
                dive, reasons = None, [("unusable_row", text)]
            problems += [
                (_video_id((video, number)), kind, f"{path.name} row {line}: {text}") for kind, text in reasons
            ]
            if dive is not None:
                dives[video, number] = dive
    return dives, problems


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any], tuple]]:
    """Line, cells by name and marks of every row that is meant as a dive: with a number, or in the view that counts."""
    rows = read_xlsx(path)
    columns = _columns(path, rows[0] if rows else ())
    for line, row in enumerate(rows[1:], start=2):
        cells = {name: row[at] if at < len(row) else None for name, at in columns.items()}
        if not _blank(cells["number"]) or _view(cells) == "s":
            yield line, cells, row[columns["judge_scores"] :][:N_JUDGES]


def _columns(path: Path, header: tuple) -> dict[str, int]:
    plain = [re.sub(r"[^a-z0-9#]", "", str(cell).lower()) for cell in header]
    found = {}
    for name, beginnings in _COLUMNS.items():
        at = next((i for i, cell in enumerate(plain) if cell.startswith(beginnings)), None)
        if at is None:
            known = nearest(beginnings[0], filter(None, plain))
            raise InputError(f"{path}: row 1: no column '{beginnings[0]}', {known}")
        found[name] = at
    return found


def _dive(cells: dict[str, Any], marks: tuple) -> tuple[dict[str, Any] | None, list[tuple[str, str]]]:
    """One dive of a sheet, None where its row is of no use, with kinds and texts of what is wrong."""
    if _view(cells) != "s":
        return None, [("unusable_row", f"view {shown(cells['view'])}, expected 's', the side at normal speed")]
    dive: dict[str, Any] = {
        "first_frame": _diving.whole(_cell_number(cells["first_frame"])),
        "last_frame": _diving.whole(_cell_number(cells["last_frame"])),
        "difficulty": _diving.positive(_cell_number(cells["difficulty"])),
        "score": _cell_number(cells["score"]),
    }
    for name, value in dive.items():
        if value is None:
            return None, [("unusable_row", f"{name} {shown(cells[name])}, expected a number")]
    if dive["first_frame"] > dive["last_frame"]:
        return None, [("unusable_row", f"frames {dive['first_frame']} to {dive['last_frame']}")]
    problems = []
    for name, read in _PARTS.items():
        value = read(cells[name])
        if value is None:
            problems.append(("unusable_dive_number", f"{name} {shown(cells[name])}"))
        else:
            dive[name] = value
    judges = [_cell_number(cell) for cell in marks]
    for cell, mark in zip(marks, judges, strict=True):
        if mark is not None and isinstance(cell, str) and not re.fullmatch(_WRITTEN, cell.strip()):
            problems.append(("mistyped_mark", f"{shown(cell)} is read as {mark:g}"))
    if len(judges) == N_JUDGES and None not in judges:
        dive["judge_scores"] = judges
    else:
        problems.append(("unusable_marks", f"marks {shown(list(marks))}, expected {N_JUDGES} numbers"))
    return dive, problems


def _blank(cell: Any) -> bool:
    return cell is None or not str(cell).strip()


def _letter(cell: Any) -> str:
    return str(cell).strip().lower()[:1]


def _view(cells: dict[str, Any]) -> str:
    return str(cells["view"]).strip().lower()


def _cell_number(cell: Any) -> float | None:
    """A number, also one written as text or with a comma, or a point too many as in '7..5'."""
    if isinstance(cell, str):
        written = re.sub(r"[.,]+", ".", cell.strip())
        return float(written) if re.fullmatch(_WRITTEN, written) else None
    return _diving.number(cell)


def _halves(cell: Any) -> int | None:
    """Twice a number of turns, 0 to 9."""
    found = _cell_number(cell)
    return None if found is None else _digit(2 * found)
