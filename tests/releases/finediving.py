"""FineDiving as released: five pickles, frames, masks, poses and splashes; 21 dives of six videos, eleven
slips among them.

The dives of videos 01 and 03 are those that `mtl_aqa` writes with the same seed.
"""

from __future__ import annotations

import pickle
import runpy
from pathlib import Path

import numpy as np

dive = runpy.run_path(str(Path(__file__).with_name("_dives.py")))["dive"]

CUP, WORLDS = "FINADivingWorldCup2021_Men3m_final", "FINAWorldChampionships2019_Women10mSynchronised_final"
EUROPE = "3mMenSpringboardFinal-EuropeanChampionships2021"
VIDEOS = {  # judges, and the clips' numbers with the dive number where a slip needs a certain one
    "01": (7, {1: None, 2: "107b", 3: None}),
    "03": (7, {1: None, 2: "5152b", 3: "407c"}),
    f"{CUP}_r1": (3, {0: "5253b", 1: "205b", 2: None, 3: "6243d", 4: "626c"}),
    f"{CUP}_r2": (3, {0: "407c", 1: None, 2: "307c", 3: "5231d"}),
    f"{WORLDS}_r3": (5, {0: None, 1: "107b", 2: "5152b", 7: "205b"}),
    f"{EUROPE}_1": (3, {5: "205b", 6: None}),
}
TEST = [("01", 2), ("03", 1), (f"{CUP}_r1", 3), (f"{CUP}_r2", 0), (f"{WORLDS}_r3", 7)]

TAKE_OFFS = {1: "Forward", 2: "Back", 3: "Reverse", 4: "Inward"}
IDS = {
    **{"Forward": 1, "Back": 2, "Reverse": 3, "Inward": 4, "Arm.Back": 6, "1.5 Soms.Pike": 13, "2 Soms.Pike": 14},
    **{"2.5 Soms.Pike": 15, "3.5 Soms.Pike": 17, "2.5 Soms.Tuck": 23, "3 Soms.Tuck": 24, "3.5 Soms.Tuck": 25},
    **{"0.5 Twist": 29, "1 Twist": 30, "1.5 Twists": 31, "3.5 Twists": 35, "Entry": 36},
}


def write(root: Path, *, seed: int = 0, media: bool = False) -> None:
    dives = {
        (video, index): dive(seed, int(video) if video.isdigit() else 100 + place, index, n_judges, kind)
        for place, (video, (n_judges, clips)) in enumerate(VIDEOS.items())
        for index, kind in clips.items()
    }
    coarse = {key: _coarse(one) for key, one in dives.items()}
    fine = {key: _fine(one) for key, one in dives.items()}
    _slip(coarse, fine)
    places = ("action_type", "dive_score", "difficulty", "steps_transit_frames", "frames_labels")
    folder = root / "Annotations"
    folder.mkdir(parents=True)
    for name, value in {
        "FineDiving_coarse_annotation": coarse,
        "FineDiving_fine-grained_annotation": fine,
        "fine-grained_annotation_aqa": {key: [entry[place] for place in places] for key, entry in fine.items()},
        "train_split": [key for key in dives if key not in TEST],
        "test_split": TEST,
    }.items():
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(value))
    if media:
        _media(root, coarse, np.random.default_rng(seed))


def _coarse(one: dict) -> dict:
    return {
        "action_type": one["kind"],
        "start_frame": one["start"] + 1,  # MTL-AQA's clips begin a frame before
        "end_frame": one["end"],
        "dive_score": one["score"],
        "difficulty": one["difficulty"],
        "judge_scores": one["marks"],
    }


def _sequence(one: dict) -> list[str]:
    """Names of the steps: twists before the somersaults, in the middle of them from a forward take-off."""
    turns, twists = one["half_somersaults"] / 2, one["half_twists"] / 2
    somersault = f"{turns:g} Soms.{'Tuck' if one['position'] == 'c' else 'Pike'}"
    flight = [f"{twists:g} Twist{'s' if twists > 1 else ''}"] * bool(twists) + [somersault]
    if twists and one["direction"] == 1:
        flight = [somersault, *flight]
    return ["Arm." * one["armstand"] + TAKE_OFFS[one["direction"]], *flight, "Entry"]


def _fine(one: dict) -> dict:
    steps = _sequence(one)
    n_frames = one["end"] - one["start"]
    labels = np.array([IDS[steps[i * len(steps) // n_frames]] for i in range(n_frames)])
    return {
        "action_type": one["kind"],
        "dive_score": one["score"],
        "difficulty": one["difficulty"],
        "steps_transit_frames": np.flatnonzero(np.diff(labels)),
        "frames_labels": labels,
        "sub-action_types": {np.int64(IDS[name]): name for name in steps},
    }


def _slip(coarse: dict, fine: dict) -> None:
    """Mistakes of the kinds that the real files hold."""
    fine["01", 2]["steps_transit_frames"][0] = -1
    fine["03", 2]["difficulty"] = 2.0
    first, second, worlds = f"{CUP}_r1", f"{CUP}_r2", f"{WORLDS}_r3"
    _relabel(fine[first, 0], "1.5 Twists", "0.5 Twist")
    fine[first, 1]["sub-action_types"][np.int64(2)] = "Forward"
    _relabel(fine[first, 3], "Arm.Back", "Back")
    fine[first, 4]["sub-action_types"] = {np.int64(6): "Arm.Back", np.int64(36): "Entry"}
    _relabel(fine[second, 0], "3.5 Soms.Tuck", "3.5 Soms.Pike")
    _relabel(fine[second, 2], "Reverse", "Inward")
    _relabel(fine[second, 3], "Entry", "3.5 Twists")
    coarse[worlds, 1]["judge_scores"][0] = 55.5
    _relabel(fine[worlds, 7], "2.5 Soms.Pike", "1.5 Soms.Pike")
    short = fine[f"{EUROPE}_1", 5]
    short["frames_labels"] = short["frames_labels"][:-1]


def _relabel(entry: dict, name: str, other: str) -> None:
    labels, names = entry["frames_labels"], entry["sub-action_types"]
    labels[labels == IDS[name]] = IDS[other]
    del names[IDS[name]]
    names[np.int64(IDS[other])] = other


def _media(root: Path, coarse: dict, rng: np.random.Generator) -> None:
    """Frames 48 wide and 32 high whose level is the frame number's remainder by 200; poses of video 01 alone."""
    import cv2

    for (video, index), entry in coarse.items():
        for number in range(entry["start_frame"], entry["end_frame"] + 1):
            for place, level in (("FineDiving", number % 200), ("FineDiving_HM", 255 * (number % 2))):
                path = root / place / video / str(index) / f"{number:05d}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                shape = (32, 48, 3) if place == "FineDiving" else (32, 48)
                cv2.imwrite(str(path), np.full(shape, level, np.uint8))
        splash = root / "FineDiving-splash" / video / f"{index}.pkl"
        splash.parent.mkdir(parents=True, exist_ok=True)
        n_frames = entry["end_frame"] - entry["start_frame"] + 1
        masks = [None if i < n_frames - 9 else rng.random((112, 112)) < 0.1 for i in range(n_frames)]
        splash.write_bytes(pickle.dumps({"splash": 1, "splash_pred_masks": masks}))
    (root / "Pose" / "01").mkdir(parents=True)
    for index, channels in ((1, 2), (2, 3)):
        np.savez(root / "Pose" / "01" / f"pred_comp_{index}.npz", pred=rng.uniform(0, 48, (96, 16, channels)))
