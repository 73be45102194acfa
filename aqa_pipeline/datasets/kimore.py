"""KIMORE as its authors released it: five exercises of patients and healthy people, scored by clinicians.

    CG/Expert/E_ID1/Es1/Raw/JointPosition011214_103748.csv          a row a frame: 25 joints x (x, y, z, tracking state)
                        Raw/JointOrientation011214_103748.csv       not read
                        Raw/TimeStamp011214_103748.csv              a row a frame, units of 100 nanoseconds
                        Script/                                     not read
                        Label/ClinicalAssessment_E_ID1.xlsx         the scores of all five exercises
                        Label/SuppInfo_E_ID1.xlsx                   not read
    CG/NotExpert/NE_ID..., GPP/BackPain/B_ID..., GPP/Parkinson/P_ID..., GPP/Stroke/S_ID...

The score is the clinical total score of the exercise, `clinical TS Ex#1`, which is PO (up to 15) plus CF (up to 35) and
so ends at 50, not at 100. There is no difficulty. The exercises are data sets of their own, whose samples bear the
same ids because they are the same people.

A recording is left out, with a log line, where its positions are missing, empty or broken, or its score is missing,
out of range or given twice and differently. `label_errors` says which, and besides it where a sheet names another
person or a total is not the sum of its parts.

This file was written without the data at hand. Certain, because several public programs that read the release agree on
it: folders and file names, 78 people, 25 joints in the order of the Kinect's JointType, four numbers a joint, blank
rows and a comma at the end of rows, the sheet's columns, and the flaws: rows of double length (E_ID8, Es1), folders
without recording, sheets of another person, copies of a file. From the Kinect's documentation: metres, tracking states
0 not tracked, 1 inferred, 2 tracked, and units of time. Inferred: that a sheet under another exercise of the same
person serves where the exercise has none, and a confidence of half the tracking state.

Sources: Capecci et al., The KIMORE dataset, IEEE TNSRE 2019; layout as read by github.com/petteriTeikari/KiMoRe_wrapper
(its `problems_with_dataset.log` lists flaws) and github.com/mattfast/kimore-model.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aqa_pipeline.datasets._table import finished
from aqa_pipeline.datasets._text import read_numbers
from aqa_pipeline.errors import InputError
from aqa_pipeline.untrusted import read_xlsx

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger("aqa_pipeline")

counts = {"subjects": 78}  # not all of them with a usable recording of every exercise

GROUPS = ("CG/Expert", "CG/NotExpert", "GPP/BackPain", "GPP/Parkinson", "GPP/Stroke")
LARGEST_TOTAL = 50.0
FPS = 30.0  # where the time stamps do not say it
JOINTS = 25


class _FlawError(InputError):
    """Why a recording is left out: the kind of mistake, and the text."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


@dataclass(frozen=True)
class _Recording:
    """One person's exercise."""

    person: Path
    exercise: int

    @property
    def video_id(self) -> str:
        return self.person.name

    def raw(self, stream: str) -> list[Path]:
        found = (self.person / f"Es{self.exercise}" / "Raw").glob(f"{stream}*.csv")
        return sorted(path for path in found if path.is_file())

    def sheets(self) -> list[Path]:
        """Clinical assessments that bear the person's name, this exercise's first; every exercise repeats them."""
        name = re.compile(rf"ClinicalAssessment_{re.escape(self.video_id)}( ?\(\d+\))?\.xlsx", re.IGNORECASE)
        found = [path for path in self.person.glob("Es*/Label/*.xlsx") if name.fullmatch(path.name)]
        return sorted(found, key=lambda path: (path.parents[1].name != f"Es{self.exercise}", path))


def compose(execution_score, difficulty):
    """The score is the execution score."""
    return execution_score


def execution(score, difficulty):
    """The execution score is the score."""
    return score


def annotation_files(*, root: Path | str, exercise: int, patients_only: bool = False) -> list[Path]:
    """Sheets, positions and time stamps of one exercise; where there are none, the first sheet that is expected."""
    recordings = _recordings(root, exercise, patients_only)
    found = [path for r in recordings for path in (*r.sheets(), *r.raw("JointPosition"), *r.raw("TimeStamp"))]
    return found or [Path(root) / f"GPP/BackPain/B_ID1/Es{exercise}/Label/ClinicalAssessment_B_ID1.xlsx"]


def samples(*, root: Path | str, exercise: int, patients_only: bool = False) -> pd.DataFrame:
    """One row a person with a usable recording and score; `patients_only` leaves the control group out.

    Parameters
    ----------
    exercise : 1 to 5
    """
    import pandas as pd

    rows = []
    for recording in _recordings(root, exercise, patients_only):
        try:
            score, fps = _score(recording), _fps(recording)
            _positions(recording)
        except _FlawError as flaw:
            log.warning("%s: left out: %s", recording.video_id, flaw)
        else:
            rows.append({"video_id": recording.video_id, "score": score, "fps": fps})
    table = pd.DataFrame(rows, columns=["video_id", "score", "fps"])
    same = {"action_type": f"exercise_{exercise}", "keypoint_set": "kinect_25"}
    return finished(table.assign(group=table["video_id"], subject=table["video_id"], **same), root)


def label_errors(*, root: Path | str, exercise: int, patients_only: bool = False) -> Iterator[tuple[str, str, str]]:
    """Video id, kind of mistake and text, for what is left out and for what is doubtful."""
    for recording in _recordings(root, exercise, patients_only):
        for part in (_score, _positions):
            try:
                part(recording)
            except _FlawError as flaw:
                yield recording.video_id, flaw.kind, str(flaw)
        yield from ((recording.video_id, kind, text) for kind, text in _doubts(recording))


def keypoints(
    video_ids: Collection[str], *, root: Path | str, exercise: int, patients_only: bool = False
) -> Iterator[tuple[str, np.ndarray, dict]]:
    """Video id, keypoints (T, 25, 4) in metres with half the tracking state as confidence, and facts."""
    for recording in _recordings(root, exercise, patients_only):
        if recording.video_id not in video_ids:
            continue
        try:
            points = _positions(recording)
        except _FlawError as flaw:
            log.warning("%s: left out: %s", recording.video_id, flaw)
        else:
            yield recording.video_id, points, {"fps": _fps(recording), "keypoint_set": "kinect_25"}


def _recordings(root: Path | str, exercise: int, patients_only: bool) -> list[_Recording]:
    if exercise not in range(1, 6):
        raise InputError(f"kimore.exercise: found {exercise!r}, expected 1 to 5")
    groups = [Path(root) / group for group in GROUPS if group.startswith("GPP") or not patients_only]
    people = [person for group in groups for person in sorted(group.glob("*_ID*")) if person.is_dir()]
    return [_Recording(person, exercise) for person in people]


def _positions(recording: _Recording) -> np.ndarray:
    """Coordinates and confidence of all joints, (T, 25, 4) float32."""
    files = recording.raw("JointPosition")
    if not files:
        raise _FlawError("no_recording", f"{recording.person}: Es{recording.exercise} has no JointPosition file")
    if len({path.read_bytes() for path in files}) > 1:
        names = ", ".join(path.name for path in files)
        raise _FlawError(
            "several_recordings", f"{files[0].parent}: found {names}, expected one recording or copies of it"
        )
    try:
        points = read_numbers(files[0], 4 * JOINTS).reshape(-1, JOINTS, 4)
    except InputError as error:
        raise _FlawError("broken_recording", str(error)) from None
    unknown = ~np.isin(points[:, :, 3], (0, 1, 2))
    if unknown.any():
        found = points[:, :, 3][unknown][0]
        raise _FlawError("broken_recording", f"{files[0]}: found the tracking state {found:g}, expected 0, 1 or 2")
    points[:, :, 3] /= 2
    return points.astype(np.float32)


def _fps(recording: _Recording) -> float:
    """Frames a second by the median of the time between frames; 30 where the stamps are missing or tell nothing."""
    for path in recording.raw("TimeStamp")[:1]:
        try:
            stamps = read_numbers(path, 1)[:, 0]
        except InputError as error:
            log.warning("%s: taken as %g frames a second: %s", recording.video_id, FPS, error)
            continue
        step = float(np.median(np.diff(stamps))) if len(stamps) > 1 else 0.0  # in 100 nanoseconds
        if 1 <= 1e7 / max(step, 1.0) <= 120:
            return round(1e7 / step, 2)
    return FPS


def _score(recording: _Recording) -> float:
    """Clinical total score; all sheets that say it must say the same."""
    total = f"clinical TS Ex#{recording.exercise}"
    sheets = recording.sheets()
    if not sheets:
        raise _FlawError("no_score", f"{recording.person}: no ClinicalAssessment_{recording.video_id}.xlsx")
    found = {path: _cells(path).get(_plain(total)) for path in sheets}
    known = {path: value for path, value in found.items() if _is_number(value)}
    if not known:
        raise _FlawError("no_score", f"{sheets[0]}: found {found[sheets[0]]!r} in '{total}', expected a number")
    if len({round(value, 2) for value in known.values()}) > 1:
        said = ", ".join(f"{value:g} in {path.parents[1].name}" for path, value in known.items())
        raise _FlawError(
            "conflicting_scores", f"{recording.person}: '{total}' is {said}, expected the same in every copy"
        )
    score = next(iter(known.values()))
    if not 0 <= score <= LARGEST_TOTAL:
        raise _FlawError("no_score", f"{sheets[0]}: '{total}' is {score:g}, expected 0 to {LARGEST_TOTAL:g}")
    return float(score)


def _doubts(recording: _Recording) -> Iterator[tuple[str, str]]:
    """Kind and text of what the sheets say and does not fit, though a score can be read."""
    for path in sorted((recording.person / f"Es{recording.exercise}" / "Label").glob("ClinicalAssessment*.xlsx")):
        cells = _cells(path)
        if not cells:
            yield "broken_sheet", f"{path}: holds no two rows of cells that can be read"
        subject = str(cells.get(_plain("Subject ID")) or recording.video_id).strip()
        if subject.upper() != recording.video_id.upper() or path not in recording.sheets():
            yield "other_person", f"{path}: is of '{subject}' by its cells, found with {recording.video_id}"
        total, main, control = (cells.get(_plain(f"clinical {part} Ex#{recording.exercise}")) for part in _PARTS)
        if all(map(_is_number, (total, main, control))) and abs(total - main - control) > 0.01:
            yield "wrong_sum", f"{path}: the total is {total:g}, the parts are {main:g} and {control:g}"


_PARTS = ("TS", "PO", "CF")  # total, primary outcome, control factors


def _cells(path: Path) -> dict[str, object]:
    """Second row of a sheet by the titles of the first; nothing where it cannot be read."""
    try:
        rows = read_xlsx(path)
    except InputError as error:
        log.warning("%s", error)
        return {}
    return {_plain(title): value for title, value in zip(*rows[:2], strict=False)} if len(rows) > 1 else {}


def _plain(title: object) -> str:
    """Titles differ in case and spaces from sheet to sheet."""
    return re.sub(r"\s", "", str(title)).lower()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))
