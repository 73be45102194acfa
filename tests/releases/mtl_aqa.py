"""MTL-AQA as released: dictionaries, splits, captions and sheets; eleven dives of three videos, and rows to leave out.

The dives of videos 01 and 03 are those that `finediving` writes with the same seed.
"""

from __future__ import annotations

import json
import pickle
import runpy
from pathlib import Path

import numpy as np

dive = runpy.run_path(str(Path(__file__).with_name("_dives.py")))["dive"]

DIVES = {
    1: {1: None, 2: "107b", 3: None, 4: "205b", 5: None},
    3: {1: None, 2: "5152b", 3: "407c", 5: None},
    17: {1: None, 2: None},
}
TEST = [(1, 2), (3, 3), (17, 1)]
SHEET_ALONE = {(3, 4): "SS", (17, 149): "S"}  # rows without an entry in the dictionary, and their view

ROTATIONS, POSITIONS = {2: 0, 1: 1, 4: 2, 3: 3}, {"d": 0, "b": 1, "c": 2}
HEADERS = {  # as differently as the real sheets have them; the marks have one header or seven
    1: "sr. no|view|start frame|end frame|position|difficulty|type|armstand|rotation_type|# ss|# tw|final score|scores",
    3: "Dive No.|Camera Angle|Start Frame|End Frame|Position|Difficulty |Dive Type|armstand|rotation_type|#ss|#tw"
    "|Final_score|Judge 1|Judge 2|Judge 3|Judge 4|Judge 5|Judge 6|Judge 7",
    17: "Dive No.|Angle|Start |End|Position|Difficulty|Dive Type|armstand|rotation_type|# ss |# tw|Total Score|Judge 1",
}
WORDS = {
    1: {"b": "p", "c": "t", "d": "f"},
    3: {"b": "Pike ", "c": "Tuck", "d": "Free"},
    17: {"b": "PIke", "c": "c", "d": "F"},
}


def write(
    root: Path,
    *,
    seed: int = 0,
    dictionary: str | None = "final_annotations_dict.pkl",
    sheets: bool = True,
    media: bool = False,
    layout: str = "authors",
) -> None:
    """`dictionary` is one of the three names, or None; `layout` of the media is authors, core, musdl or videos."""
    dives = {
        (video, n): dive(seed, video, n, 7, kind) for video, numbers in DIVES.items() for n, kind in numbers.items()
    }
    release = root / "MTL-AQA_dataset_release"
    if dictionary:
        folder = release / "Ready_2_Use" / "MTL-AQA_split_0_data"
        folder.mkdir(parents=True)
        captions = {(np.int64(video), n): ["<sos>", "a", "dive", "<eos>"] for video, n in [*dives, *SHEET_ALONE]}
        for name, value in {
            dictionary: {key: _entry(one, dictionary) for key, one in dives.items()},
            "final_captions_dict.pkl": captions,
            "train_split_0.pkl": [key for key in dives if key not in TEST],
            "test_split_0.pkl": TEST,
        }.items():
            (folder / name).write_bytes(pickle.dumps(value, protocol=2))
        (folder / "vocab.json").write_text(json.dumps({"ix_to_word": {"0": "<eos>"}, "word_to_ix": {"<eos>": 0}}))
    if sheets:
        (release / "Raw_Annotations").mkdir(parents=True)
        alone = {key: dive(seed, *key) for key in SHEET_ALONE}
        for video in DIVES:
            _sheet(release / "Raw_Annotations" / f"{video:02d}.xlsx", video, dives | alone)
    if media:
        _media(root, layout, dives)


def _entry(one: dict, dictionary: str) -> dict:
    entry = {
        "primary_view": 0,
        "start_frame": one["start"],
        "end_frame": one["end"],
        "position": POSITIONS[one["position"]],
        "difficulty": one["difficulty"],
        "armstand": one["armstand"],
        "rotation_type": ROTATIONS[one["direction"]],
        "ss_no": one["half_somersaults"],
        "tw_no": one["half_twists"],
        "final_score": one["score"],
    }
    if dictionary != "final_annotations_dict.pkl":
        entry["judge_scores"] = np.array(one["marks"])
    if "dive_number" in dictionary:
        entry["dive_number"] = one["kind"].upper()
    return entry


def _sheet(path: Path, video: int, dives: dict) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(HEADERS[video].split("|"))
    for (of_video, number), one in sorted(dives.items()):
        if of_video == video:
            view = SHEET_ALONE.get((video, number), "s" if video == 1 else " S")
            sheet.append(_cells(video, number, one, view))
            sheet.append([None, "ss", one["end"] + 10, one["end"] + 40])
            sheet.append([None, "Comm.", one["start"], one["end"] + 50])
            sheet.append([])
    book.save(path)


def _cells(video: int, number: int, one: dict, view: str) -> list:
    turns, twists = one["half_somersaults"] / 2, one["half_twists"] / 2
    rotation = " fbri"[one["direction"]]
    marks = list(one["marks"])
    if (video, number) == (1, 4):
        marks[0] = f"{marks[0]:.1f}".replace(".", "..")  # a slip that can be read
    if (video, number) == (3, 1):
        marks[3] *= 10  # and one that cannot be meant
    if (video, number) == (3, 3):
        marks = [f"{mark:g}".replace(".", ",") for mark in marks]
    if (video, number) == (17, 2):
        marks[6] = "?"
    word = WORDS[video][one["position"]]
    facts = [one["difficulty"], f"{rotation} {turns:g} ss", one["armstand"], rotation, turns, twists, one["score"]]
    return [number, view, one["start"], one["end"], word, *facts, *marks]


def _media(root: Path, layout: str, dives: dict) -> None:
    """Pictures 48 wide and 32 high whose level is the frame number's remainder by 200."""
    import cv2

    def picture(path: Path, number: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((32, 48, 3), number % 200, np.uint8))

    if layout == "musdl":
        for (video, number), one in dives.items():
            for i in range(109):
                picture(root / "frames" / f"{video:02d}_{number:02d}" / f"{i:06d}.jpg", one["end"] - 105 + i)
        return
    for video in DIVES:
        last = max(one["end"] for (of_video, _), one in dives.items() if of_video == video)
        if layout == "videos":
            (root / "whole_videos").mkdir(exist_ok=True)
            path = root / "whole_videos" / f"{video:02d}.mp4"
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25.0, (48, 32))
            for number in range(1, last + 1):
                writer.write(np.full((32, 48, 3), number % 200, np.uint8))
            writer.release()
            continue
        folder, digits = {"authors": ("whole_videos_frames", 6), "core": ("new/new_total_frames_256s", 8)}[layout]
        for number in range(1, last + 1):
            picture(root / folder / f"{video:02d}" / f"{number:0{digits}d}.jpg", number)
