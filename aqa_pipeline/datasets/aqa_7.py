"""AQA-7: seven Olympic actions of which six are split into training and test, one action at a time.

The root holds the split and one of three kinds of clips; the first that is there is read:

    Split_4/split_4_train_list.mat, split_4_test_list.mat
        or consolidated_train_list.mat, consolidated_test_list.mat, there or in the root; the variables are called
        consolidated_train_list and consolidated_test_list in either, (N, 3): action, sample, score. Some copies hold
        100 times the score, which is seen by scores above 200.
    <action>-out/<sample, 3 digits>/img_00001.jpg to img_00103.jpg
    <action>_samples_lstm_103/frames/<sample>/*.jpg, for diving diving_v1_samples_lstm_103
    Actions/<action>/<sample>.avi, the authors' archive

    action              train  test  score
    diving                300    70  21.6 to 102.6
    gym_vault             120    56  12.3 to 16.87
    ski_big_air           120    55  8 to 50
    snowboard_big_air     140    66  8 to 50
    sync_diving_3m         60    28  46.2 to 104.88
    sync_diving_10m        63    28  49.8 to 99.36

Trampoline, the seventh, stands in no list. The lists know no difficulty, so the score is the execution score, whatever
the sport's rule; `unlv_diving` and `unlv_vault` know more of the first two actions. Every clip has 103 frames.

Sources: Parmar and Morris, Action quality assessment across multiple actions, WACV 2019; the first layout of frames
from the readme of CoRe (Yu et al., ICCV 2021), the second from the authors' C3D-LSTM--PyTorch.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aqa_pipeline.datasets import _unlv
from aqa_pipeline.datasets._table import finished, first_folder

if TYPE_CHECKING:
    import pandas as pd

N_FRAMES = 103

counts = {
    "action": {
        "diving": {"samples": 370, "train": 300, "test": 70},
        "gym_vault": {"samples": 176, "train": 120, "test": 56},
        "ski_big_air": {"samples": 175, "train": 120, "test": 55},
        "snowboard_big_air": {"samples": 206, "train": 140, "test": 66},
        "sync_diving_3m": {"samples": 88, "train": 60, "test": 28},
        "sync_diving_10m": {"samples": 91, "train": 63, "test": 28},
    }
}


def compose(execution_score, difficulty):
    """The score is the execution score: no difficulty is known."""
    return execution_score


def execution(score, difficulty):
    """The execution score is the score."""
    return score


def annotation_files(*, root: Path | str, action: str) -> list[Path]:
    """Training and test list, which hold all actions."""
    return _unlv.aqa_7_lists(root)


def media(*, root: Path | str, action: str) -> dict[str, list[Path]]:
    """The folders in which the clips may lie, in the order in which they are looked for."""
    _unlv.expect_action(action)
    root = Path(root)
    lstm = "diving_v1" if action == "diving" else action
    names = [f"{action}-out", f"{lstm}_samples_lstm_103/frames", f"{action}_samples_lstm_103/frames"]
    return {"videos": [root / name for name in dict.fromkeys([*names, f"Actions/{action}"])]}


def samples(*, root: Path | str, action: str) -> pd.DataFrame:
    """One row a sample, `diving_054` for sample 54 of diving, with the official split in `part`.

    Parameters
    ----------
    action : diving, gym_vault, ski_big_air, snowboard_big_air, sync_diving_3m or sync_diving_10m
    """
    import pandas as pd

    table = _unlv.aqa_7_samples(root, action)
    return finished(
        pd.DataFrame(
            {
                "video_id": [f"{action}_{number:03d}" for number in table["number"]],
                "action_type": action,
                "score": table["score"],
                "part": table["part"],
                "broadcast": [_unlv.broadcast(number, action) for number in table["number"]],
                "identity": [_unlv.identity(number, action) for number in table["number"]],
                **clips(table["number"], root=root, action=action),
            }
        ),
        _unlv.aqa_7_lists(root)[0],
    )


def clips(numbers: pd.Series, *, root: Path | str, action: str) -> dict[str, object]:
    """Columns path, first_frame and last_frame: pictures are numbered from 1, videos from 0, others as they are."""
    folder = first_folder(media(root=root, action=action)["videos"])
    if folder.parent.name == "Actions":
        paths, first = [folder / f"{number:03d}.avi" for number in numbers], 0
    else:
        paths, first = [folder / f"{number:03d}" for number in numbers], 1
    span = {} if folder.name == "frames" else {"first_frame": first, "last_frame": first + N_FRAMES - 1}
    return {"path": list(map(str, paths)), **span}
