"""UI-PRMD: ten rehabilitation movements, each ten times correctly and ten times incorrectly by ten healthy people.

As its authors released it, one comma separated text file a repetition, packed with gzip (`.txt.gz`) or not:

    Segmented Movements/Kinect/Positions/m01_s01_e01_positions.txt                  movement 1, subject 1, episode 1
    Incorrect Segmented Movements/Kinect/Positions/m01_s01_e01_positions_inc.txt    the same, done wrong
    .../Vicon/Positions/...                                                         the same, seen by the Vicon

The release holds no graded score: a correct repetition scores 1, an incorrect one 0. The quality scores of later
papers are computed from the recordings. There is no difficulty.

**Kinect**, 22 joints x 3 a row, 30 frames a second, centimetres. The first joint, the waist, lies in the camera's axes
(first to the right of the picture, second up). Every other joint is given *relative to its parent and in its parent's
rotated axes*: these are the lengths and directions of bones, which hardly move, and the pose is in the angles beside
them. The sum along the chain is no position in space, so the positions are handed out as they are. Whatever measures
limbs on them (`body_motion`) sees the path of the waist and little else.

**Vicon**, 39 markers x 3 a row, 100 frames a second, millimetres in the room. Handed out with the axes turned, second,
third, first, so that the second coordinate points up as the Kinect's does. A marker at exactly 0, 0, 0 was not seen:
its confidence is 0. Subject 3 has no Vicon file of movement 3, and m10_s05_e09_inc is a single frame.

Certain: folders, names and numbers of files, columns and rows, units, the lack of a score (all 2,000 Kinect and 1,980
Vicon position files were read). The order of the Kinect's joints and that angles are needed for positions in space
are the authors' (`Animation.m` of the release), as several public programs repeat them. Inferred: the order of the
markers, which is the usual one of Plug-in Gait and fits their places in the recordings, the meaning of zeros, and the
Vicon's frame rate, which fits the lengths of both recordings.

Source: Vakanski et al., A data set of human body movements for physical rehabilitation exercises, Data 2018, 3(1), 2.
Licence: Open Data Commons Public Domain Dedication and License.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aqa_pipeline.datasets._table import finished
from aqa_pipeline.datasets._text import read_numbers
from aqa_pipeline.errors import InputError, nearest

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger("aqa_pipeline")

counts = {"samples": 200, "subjects": 10}  # of one movement; 180 samples of movement 3 by the Vicon

SCORES = {"": 1.0, "_inc": 0.0}  # by the ending of the file's name
_FOLDERS = {"": "Segmented Movements", "_inc": "Incorrect Segmented Movements"}
_SETS = {"kinect": "ui_prmd_22", "vicon": "plug_in_gait_39"}
_JOINTS = {"kinect": 22, "vicon": 39}
_FPS = {"kinect": 30.0, "vicon": 100.0}


def compose(execution_score, difficulty):
    """The score is the execution score."""
    return execution_score


def execution(score, difficulty):
    """The execution score is the score."""
    return score


def annotation_files(*, root: Path | str, movement: int, sensor: str = "kinect") -> list[Path]:
    """The position files of one movement; where there are none, the first that is expected."""
    found = _files(root, movement, sensor)
    expected = _folder(Path(root), sensor, "") / f"m{movement:02d}_s01_e01_positions.txt"
    return list(found.values()) or [expected]


def samples(*, root: Path | str, movement: int, sensor: str = "kinect") -> pd.DataFrame:
    """One row a repetition, `m01_s02_e03` where it is correct and `m01_s02_e03_inc` where it is not.

    Parameters
    ----------
    movement : 1 to 10
    sensor : kinect or vicon
    """
    import pandas as pd

    names = list(_files(root, movement, sensor))
    subjects = [f"subject_{name.split('_')[1][1:]}" for name in names]
    return finished(
        pd.DataFrame(
            {
                "video_id": names,
                "fps": _FPS[sensor],
                "action_type": f"movement_{movement}",
                "score": [SCORES["_inc" if name.endswith("_inc") else ""] for name in names],
                "group": subjects,
                "subject": subjects,
                "keypoint_set": _SETS[sensor],
            }
        ),
        _folder(Path(root), sensor, ""),
    )


def keypoints(
    video_ids: Collection[str], *, root: Path | str, movement: int, sensor: str = "kinect"
) -> Iterator[tuple[str, np.ndarray, dict]]:
    """Video id, keypoints (T, 22 or 39, 4) with confidence 1 or 0, and facts of the given repetitions.

    The Kinect's are relative to their parents, see above. A file that cannot be read is left out with a log line.
    """
    for name, path in _files(root, movement, sensor).items():
        if name not in video_ids:
            continue
        try:
            rows = read_numbers(path, 3 * _JOINTS[sensor])
        except InputError as error:
            log.warning("%s: left out: %s", name, error)
            continue
        points = rows.astype(np.float32).reshape(len(rows), _JOINTS[sensor], 3)
        seen = np.ones(points.shape[:2], bool)
        if sensor == "vicon":
            points, seen = points[:, :, [1, 2, 0]], (points != 0).any(axis=2)
        facts = {"fps": _FPS[sensor], "keypoint_set": _SETS[sensor]}
        yield name, np.concatenate([points, seen[:, :, None]], axis=2, dtype=np.float32), facts


def _files(root: Path | str, movement: int, sensor: str) -> dict[str, Path]:
    """Files of one movement by video id, in order; one that lies there packed and unpacked is taken unpacked."""
    if movement not in range(1, 11):
        raise InputError(f"ui_prmd.movement: found {movement!r}, expected 1 to 10")
    if sensor not in _SETS:
        raise InputError(f"ui_prmd.sensor: found {sensor!r}, {nearest(str(sensor), _SETS)}")
    found = {}
    for ending in SCORES:
        name = re.compile(rf"(m{movement:02d}_s[0-9]{{2}}_e[0-9]{{2}})_positions{ending}\.txt(\.gz)?")
        for path in sorted(_folder(Path(root), sensor, ending).glob(f"m{movement:02d}_*"), reverse=True):
            if match := name.fullmatch(path.name):
                found[match[1] + ending] = path  # ".txt" comes last
    return dict(sorted(found.items()))


def _folder(root: Path, sensor: str, ending: str) -> Path:
    return root / _FOLDERS[ending] / sensor.capitalize() / "Positions"
