"""FineDiving: 3000 dives of 135 competition videos, with the sub-action of every frame; FineDiving-HM's masks and
FineDiving-Pose's keypoints where they are at hand, and HP-MCoRe's masks of the splash.

As released, under `root`:

    Annotations/FineDiving_coarse_annotation.pkl         dive number, frames, score, difficulty, judges
    Annotations/FineDiving_fine-grained_annotation.pkl   dive number, score, difficulty, sub-action of every frame
    Annotations/fine-grained_annotation_aqa.pkl          the same without names, as training code reads it
    Annotations/{train,test}_split.pkl                   2251 and 749 clips
    FineDiving/<video>/<clip>/<frame>.jpg                frames under their number in the untrimmed video
    FineDiving_HM/<video>/<clip>/<frame>.jpg             masks of the same names
    Pose/<video>/pred_comp_<clip>.npz                    keypoints of the 96 frames that the field samples
    FineDiving-splash/<video>/<clip>.pkl                 masks of the splash, one a frame

The pickles may also lie directly in `root`, and some may be missing. Where they disagree the coarse file counts, then
the fine one: for ('17', 164), the one dive whose difficulties differ, the coarse file alone agrees with MTL-AQA and
with the difficulty of its dive number.

The dive ('01', 7) is the video `01.007`. The 15 videos with names of two digits are MTL-AQA's.

Sources: Xu et al., FineDiving, CVPR 2022; Xu et al., FineParser, CVPR 2024 (masks); HP-MCoRe, 2025 (keypoints).
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aqa_pipeline import dive_numbers, transitions
from aqa_pipeline.datasets import _diving
from aqa_pipeline.datasets._diving import FPS, Field
from aqa_pipeline.datasets._table import finished, first_folder, load_npz, over_difficulty, times_difficulty
from aqa_pipeline.errors import InputError
from aqa_pipeline.untrusted import shown

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger("aqa_pipeline")

counts = {
    "samples": 3000,
    "train": 2251,
    "test": 749,
    "broadcasts": 135,
    "events": 39,
    "action_types": 52,
    "sub_actions": 29,
    "difficulties": 23,
    "frames": 312256,
}

SUB_ACTIONS = {
    **{1: "Forward", 2: "Back", 3: "Reverse", 4: "Inward", 5: "Arm.Forward", 6: "Arm.Back", 7: "Arm.Reverse"},
    **{12: "1 Som.Pike", 13: "1.5 Soms.Pike", 14: "2 Soms.Pike", 15: "2.5 Soms.Pike", 16: "3 Soms.Pike"},
    **{17: "3.5 Soms.Pike", 19: "4.5 Soms.Pike", 21: "1.5 Soms.Tuck", 22: "2 Soms.Tuck", 23: "2.5 Soms.Tuck"},
    **{24: "3 Soms.Tuck", 25: "3.5 Soms.Tuck", 27: "4.5 Soms.Tuck", 29: "0.5 Twist", 30: "1 Twist"},
    **{31: "1.5 Twists", 32: "2 Twists", 33: "2.5 Twists", 34: "3 Twists", 35: "3.5 Twists", 36: "Entry"},
    **{37: "0.5 Som.Pike"},
}
"""Names of the 29 label ids in use, for copies without the fine file."""

JOINTS = 16  # of MPII
SPLASHES = "FineDiving-splash"  # as HP-MCoRe's configuration calls it

compose = times_difficulty
execution = over_difficulty
judged = _diving.panel_score

_FILES = {
    "coarse": "FineDiving_coarse_annotation.pkl",
    "fine": "FineDiving_fine-grained_annotation.pkl",
    "aqa": "fine-grained_annotation_aqa.pkl",
}
_SPLITS = {"train": "train_split.pkl", "test": "test_split.pkl"}
_FRAMES = "Trimmed_Video_Frames/FineDiving"  # of other mirrors
_MASKS = "diving_mask_annotation"

_SHARED = {
    "action_type": Field("action_type", _diving.text, "a dive number"),
    "score": Field("dive_score", _diving.number, "a number"),
    "difficulty": Field("difficulty", _diving.positive, "a number above 0"),
}
_LABELS = {
    "transitions": Field("steps_transit_frames", _diving.integers, "whole numbers"),
    "labels": Field("frames_labels", lambda value: _diving.integers(value) or None, "a label id for every frame"),
}
_FIELDS = {
    "coarse": {
        **_SHARED,
        "first_frame": Field("start_frame", _diving.whole, "a frame number"),
        "last_frame": Field("end_frame", _diving.whole, "a frame number"),
        "judge_scores": Field("judge_scores", _diving.numbers, "the judges' marks"),
    },
    "fine": {
        **_SHARED,
        **_LABELS,
        "names": Field("sub-action_types", lambda value: _names(value), "names by label id"),
    },
    "aqa": {**_SHARED, **_LABELS},
}

Key = tuple[str, int]  # video and clip


def annotation_files(
    *,
    root: Path | str,
    frames: str = "FineDiving",
    masks: str = "FineDiving_HM",
    poses: str = "Pose",
    splashes: str = SPLASHES,
) -> list[Path]:
    """The pickles that are there; those with labels that are expected where none is."""
    labels, splits = _present(Path(root), _FILES), _present(Path(root), _SPLITS)
    folder = Path(root) / "Annotations"
    return [*labels.values(), *splits.values()] if labels else [folder / name for name in _FILES.values()]


def media(
    *,
    root: Path | str,
    frames: str = "FineDiving",
    masks: str = "FineDiving_HM",
    poses: str = "Pose",
    splashes: str = SPLASHES,
) -> dict[str, list[Path]]:
    """Folders of frames, masks, keypoints and splashes, of each kind one of which must be there."""
    root = Path(root)
    return {
        "videos": [root / frames, root / _FRAMES],
        "masks": [root / masks, root / _MASKS],
        "keypoints": [root / poses],
        "splashes": [root / splashes],
    }


def samples(
    *,
    root: Path | str,
    frames: str = "FineDiving",
    masks: str = "FineDiving_HM",
    poses: str = "Pose",
    splashes: str = SPLASHES,
) -> pd.DataFrame:
    """One row a dive, the official split in `part`; the competition without its round is group and event.

    A sub-action that returns later in the dive is a further step. Without the coarse file nobody knows the frame
    numbers: the whole folder is then the sample.

    Parameters
    ----------
    frames, masks, poses, splashes : folders below `root`, where they bear other names
    """
    import pandas as pd

    root = Path(root)
    files = _read(root)
    clips, names = _merged(files), _names_of_ids(files.get("fine", {}))
    places = media(root=root, frames=frames, masks=masks, poses=poses, splashes=splashes)
    folders = [first_folder(places[kind]) for kind in ("videos", "masks", "splashes")]
    table = pd.DataFrame([_row(key, clip, names, *folders) for key, clip in clips.items()])
    splits = _present(root, _SPLITS)
    if splits:
        table["part"] = _parts(splits, clips)
    return finished(table, root)


def keypoints(
    video_ids: Collection[str],
    *,
    root: Path | str,
    frames: str = "FineDiving",
    masks: str = "FineDiving_HM",
    poses: str = "Pose",
    splashes: str = SPLASHES,
) -> Iterator[tuple[str, np.ndarray, dict]]:
    """Video id, keypoints (96, 16, 3) in pixels, and facts of the given dives, as far as their files are there.

    Confidence is 1 where the file brings none. The 96 frames are spread evenly over the clip, so their rate is
    95 / (n - 1) of the video's.
    """
    for (video, index), clip in _merged(_read(Path(root))).items():
        video_id = _video_id((video, index))
        path = Path(root) / poses / video / f"pred_comp_{index}.npz"
        if video_id not in video_ids or not path.is_file():
            continue
        n_frames = _n_frames(clip)
        fps = FPS * (transitions.GRID - 1) / (n_frames - 1) if n_frames and n_frames > 1 else FPS
        yield video_id, _keypoints(path), {"fps": fps, "keypoint_set": "mpii_16"}


def label_errors(
    *,
    root: Path | str,
    frames: str = "FineDiving",
    masks: str = "FineDiving_HM",
    poses: str = "Pose",
    splashes: str = SPLASHES,
) -> Iterator[tuple[str, str, str]]:
    """Video id, kind and text of everything that the files say twice and differently, in the order of the dives.

    Kinds: `action_type_conflict`, `score_conflict`, `difficulty_conflict` between two files; `frame_count` of labels
    and range; `impossible_mark`; `transitions_out_of_order`, `transitions_contradict_labels`; `unnamed_label` in the
    clip's own dictionary; `sub_action_name` of another sub-action; `last_step_not_entry`; and what contradicts the
    dive number: `armstand`, `take_off`, `somersaults`, `twists`, `position`.
    """
    files = _read(Path(root))
    names = _names_of_ids(files.get("fine", {}))
    for key, clip in _merged(files).items():
        for kind, text in _mistakes({name: file[key] for name, file in files.items() if key in file}, clip, names):
            yield _video_id(key), kind, text


def _present(root: Path, names: dict[str, str]) -> dict[str, Path]:
    """Of the named pickles those that are there, in `Annotations` or else in the root itself."""
    found = {}
    for what, name in names.items():
        for folder in (root / "Annotations", root):
            if (folder / name).is_file():
                found.setdefault(what, folder / name)
    return found


def _read(root: Path) -> dict[str, dict[Key, dict[str, Any]]]:
    """By file and clip, what the file says of the clip."""
    paths = _present(root, _FILES)
    if not paths:
        raise InputError(f"{root / 'Annotations'}: none of {', '.join(_FILES.values())} is there, expected one or more")
    return {name: dict(_entries(path, _FIELDS[name])) for name, path in paths.items()}


def _entries(path: Path, fields: dict[str, Field]) -> Iterator[tuple[Key, dict[str, Any]]]:
    for key, entry in _diving.read_dict(path).items():
        video, index = _expect_key(path, key)
        if isinstance(entry, list | tuple):  # the aqa file goes by position
            entry = dict(zip((field.place for field in fields.values()), entry, strict=False))
        where = f"{path}: clip {(video, index)}"
        clip = _diving.checked(where, entry, fields)
        if clip.get("first_frame", 0) > clip.get("last_frame", 0):
            found = f"{clip['first_frame']} to {clip['last_frame']}"
            raise InputError(f"{where}: frames {found}, expected the first before the last")
        yield (video, index), clip


def _expect_key(path: Path, key: Any) -> Key:
    """Names of videos become folders, so they hold letters, digits, - and _ alone."""
    if isinstance(key, tuple) and len(key) == 2 and isinstance(key[0], str) and re.fullmatch(r"[\w-]+", key[0], re.A):
        index = _diving.whole(key[1])
        if index is not None:
            return key[0], index
    raise InputError(f"{path}: clip {shown(key)}, expected a pair of video name and clip number")


def _merged(files: dict[str, dict[Key, dict[str, Any]]]) -> dict[Key, dict[str, Any]]:
    """All that is known of every clip, sorted; the coarse file has the last word."""
    keys = sorted({key for file in files.values() for key in file})
    order = [files[name] for name in reversed(_FILES) if name in files]
    return {key: {k: v for file in order for k, v in file.get(key, {}).items()} for key in keys}


def _names(value: Any) -> dict[int, str] | None:
    fits = isinstance(value, dict) and all(isinstance(k, int) and isinstance(v, str) for k, v in value.items())
    return value if fits else None


def _names_of_ids(fine: dict[Key, dict[str, Any]]) -> dict[int, str]:
    """One name a label id: the one that most clips give it."""
    votes: dict[int, Counter] = {}
    for clip in fine.values():
        for label, name in clip["names"].items():
            votes.setdefault(label, Counter())[name] += 1
    return SUB_ACTIONS | {label: names.most_common(1)[0][0] for label, names in votes.items()}


def _row(
    key: Key, clip: dict[str, Any], names: dict[int, str], frames: Path, masks: Path, splashes: Path
) -> dict[str, Any]:
    video, index = key
    event = re.sub(r"_r?\d+$", "", video)
    source = "mtl_aqa" if re.fullmatch(r"\d\d", video) else "finediving"
    return {
        "video_id": _video_id(key),
        "path": str(frames / video / str(index)),
        "first_frame": clip.get("first_frame"),
        "last_frame": clip.get("last_frame"),
        "fps": FPS,
        "action_type": clip["action_type"],
        "difficulty": clip["difficulty"],
        "judge_scores": clip.get("judge_scores"),
        "score": clip["score"],
        "steps": _steps(clip, names),
        "group": event,
        "event": event,
        "broadcast": video,
        "identity": f"{source}/{video}/{index:03d}",
        "masks": str(masks / video / str(index)),
        "splash": str(splashes / video / f"{index}.pkl"),
    }


def _video_id(key: Key) -> str:
    return f"{key[0]}.{key[1]:03d}"


def _name(label: int, names: dict[int, str]) -> str:
    return names.get(label, f"sub_action_{label}")


def _steps(clip: dict[str, Any], names: dict[int, str]) -> list[dict] | None:
    if "labels" not in clip:
        return None
    return [{"sub_action": _name(label, names), "first_frame": first} for label, first in _diving.runs(clip["labels"])]


def _n_frames(clip: dict[str, Any]) -> int | None:
    if "first_frame" in clip:
        return clip["last_frame"] - clip["first_frame"] + 1
    return len(clip["labels"]) if "labels" in clip else None


def _parts(splits: dict[str, Path], clips: dict[Key, dict[str, Any]]) -> list[str | None]:
    parts = _diving.read_parts(splits, _expect_key)
    unknown = sorted(set(parts) - set(clips))
    if unknown:
        log.warning(
            "%s names %d clips without annotation, first %s", splits[parts[unknown[0]]], len(unknown), unknown[0]
        )
    return [parts.get(key) for key in clips]


def _keypoints(path: Path) -> np.ndarray:
    array = load_npz(path, "pred")["pred"]
    sizes = [transitions.GRID * JOINTS * channels for channels in (2, 3)]
    if array.dtype.kind not in "fiu" or array.size not in sizes:
        raise InputError(f"{path}: 'pred' is {array.dtype} {array.shape}, expected numbers (96, 16, 2) or (96, 16, 3)")
    array = array.reshape(transitions.GRID, JOINTS, -1).astype(np.float32)
    confidence = np.ones((*array.shape[:2], 1), np.float32)
    return np.concatenate([array, confidence], axis=2)[:, :, :3]


def _mistakes(
    said: dict[str, dict[str, Any]], clip: dict[str, Any], names: dict[int, str]
) -> Iterator[tuple[str, str]]:
    """Kind and text of what is wrong with one clip, of which each file has `said` something."""
    for what in _SHARED:
        found = {name: entry[what] for name, entry in said.items()}
        if len(set(found.values())) > 1:
            yield f"{what}_conflict", ", ".join(f"{name} file {value}" for name, value in found.items())
    for mark in _diving.impossible_marks(clip.get("judge_scores")):
        yield "impossible_mark", f"judge's mark {mark:g}, expected 0 to 10 in halves"
    if "labels" in clip:
        yield from _mistakes_of_labels(clip, names)
        yield from _mistakes_of_number(clip, names)


def _mistakes_of_labels(clip: dict[str, Any], names: dict[int, str]) -> Iterator[tuple[str, str]]:
    labels, found = clip["labels"], clip["transitions"]
    if len(labels) != _n_frames(clip):
        yield "frame_count", f"{len(labels)} labels for {_n_frames(clip)} frames"
    if min(found, default=0) < 0 or sorted(set(found)) != found:
        yield "transitions_out_of_order", f"transitions {found}"
    expected = [first - 1 for _, first in _diving.runs(labels)[1:]]
    if found != expected:
        yield "transitions_contradict_labels", f"transitions {found}, the labels change after {expected}"
    if "names" in clip:
        for label in sorted(set(labels) - set(clip["names"])):
            yield "unnamed_label", f"label {label} is not among the clip's own {sorted(clip['names'])}"
        for label, name in sorted(clip["names"].items()):
            if name != names[label]:
                yield "sub_action_name", f"label {label} is called {name}, in most clips {names[label]}"
    last = _name(labels[-1], names)
    if last != "Entry":
        yield "last_step_not_entry", f"the last step is {last}"


_TAKE_OFFS = {1: "Forward", 2: "Back", 3: "Reverse", 4: "Inward"}
_FLIGHT = re.compile(r"(?P<count>[\d.]+) (?P<what>Som|Twist)s?(?:\.(?P<position>Pike|Tuck))?")


def _mistakes_of_number(clip: dict[str, Any], names: dict[int, str]) -> Iterator[tuple[str, str]]:
    """Where the labels contradict the dive number; the flight is what lies between take-off and last step."""
    dive = dive_numbers.parse(clip["action_type"])
    if dive is None:
        return
    steps = [_name(label, names) for label, _ in _diving.runs(clip["labels"])]
    take_off = ("Arm." if dive.group == 6 else "") + _TAKE_OFFS[dive.direction]
    if steps[0] != take_off:
        kind = "armstand" if steps[0].startswith("Arm.") != (dive.group == 6) else "take_off"
        yield kind, f"{clip['action_type']} begins with {take_off}, the labels with {steps[0]}"
    flight = [match for match in map(_FLIGHT.fullmatch, steps[1:-1]) if match]
    for kind, what, halves in (("somersaults", "Som", dive.half_somersaults), ("twists", "Twist", dive.half_twists)):
        found = [float(match["count"]) for match in flight if match["what"] == what]
        # A twist in the middle parts a somersault; most clips then give both parts the whole count, a few share it out.
        if sum(found) != halves / 2 and set(found) != {halves / 2}:
            yield kind, f"{clip['action_type']} has {halves / 2:g} {kind}, the labels {found}"
    letters = {"b": "Pike", "c": "Tuck"}  # no label says straight or free, and half somersaults are all called pike
    positions = {match["position"] for match in flight if match["position"] and match["count"] != "0.5"}
    if dive.position in letters and positions - {letters[dive.position]}:
        yield (
            "position",
            f"{clip['action_type']} is {letters[dive.position]}, the labels {', '.join(sorted(positions))}",
        )
