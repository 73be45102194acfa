"""JIGSAWS: eight surgeons suture, pass needles and tie knots with a robot; 103 trials, one task at a time.

The root holds the authors' release, or what MUSDL made of it, or both:

    <Task>/meta_file_<Task>.txt       a trial a line: name, skill the surgeon claims (N, I, E), total, six items
    <Task>/video/<name>_capture1.avi  the left camera, 30 frames a second
    label.pkl                         {name: [six items]}, in the root, info/ or data/info/
    splits.pkl                        {Task: [names of a fold, ...]}, in the same places, or where `splits` says
    frames/<name>_capture1/*.jpg      in the root or data/

`judge_scores` are the six `ITEMS` of the global rating scale, 1 to 5 each: respect for tissue, suture and needle
handling, time and motion, flow of operation, overall performance, quality of the final product. All are one expert's.
The score is their sum; there is no difficulty. The meta file is read where it is there, else label.pkl.

    task             trials  folds of splits.pkl  score
    needle_passing       28  7, 7, 7, 7           7 to 24
    suturing             39  9, 10, 10, 10        8 to 30
    knot_tying           36  9, 9, 9, 9           6 to 22

The folds mix the surgeons, so that one of them stands in training and test; for folds that do not, hold out `subject`.

Sources: Gao et al., The JHU-ISI gesture and skill assessment working set, M2CAI 2014; the pickles from MUSDL (Tang et
al., CVPR 2020).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aqa_pipeline import untrusted
from aqa_pipeline.datasets._table import finished, first_folder
from aqa_pipeline.errors import InputError, nearest

if TYPE_CHECKING:
    import pandas as pd

FPS = 30.0  # of the cameras, also where the frames are pictures
ITEMS = (
    "respect_for_tissue",
    "suture_needle_handling",
    "time_and_motion",
    "flow_of_operation",
    "overall_performance",
    "quality_of_final_product",
)
TASKS = {"suturing": "Suturing", "needle_passing": "Needle_Passing", "knot_tying": "Knot_Tying"}

counts = {
    "task": {
        "suturing": {"samples": 39},
        "needle_passing": {"samples": 28},
        "knot_tying": {"samples": 36},
    }
}


def compose(execution_score, difficulty):
    """The score is the execution score."""
    return execution_score


def execution(score, difficulty):
    """The execution score is the score."""
    return score


def annotation_files(*, root: Path | str, task: str, splits: str | None = None) -> list[Path]:
    """The meta file or label.pkl, and splits.pkl where it is there or asked for."""
    meta = _meta(root, task)
    folds = _folds_file(root, splits)
    return [meta if meta.is_file() else _info(root, "label.pkl") or meta, *([folds] if folds else [])]


def media(*, root: Path | str, task: str, splits: str | None = None) -> dict[str, list[Path]]:
    """The folders in which the videos or their frames may lie, in the order in which they are looked for."""
    return {"videos": [Path(root) / _spelled(task) / "video", Path(root) / "frames", Path(root) / "data/frames"]}


def samples(*, root: Path | str, task: str, splits: str | None = None) -> pd.DataFrame:
    """One row a trial, named as its files are; `subject` and `group` are the surgeon's letter.

    Parameters
    ----------
    task : suturing, needle_passing or knot_tying
    splits : file of the folds, where it lies elsewhere
    """
    import pandas as pd

    source = annotation_files(root=root, task=task, splits=splits)[0]
    items = _items(source, task)
    folder = first_folder(media(root=root, task=task)["videos"])
    suffix = ".avi" if folder.name == "video" else ""
    surgeons = [re.fullmatch(r"([A-Z])[0-9]{3}", name.removeprefix(f"{_spelled(task)}_")) for name in items]
    for name, surgeon in zip(items, surgeons, strict=True):
        if surgeon is None:
            raise InputError(f"{source}: trial {name!r}, expected {_spelled(task)}_, the surgeon's letter, 3 digits")
    letters = [surgeon[1] for surgeon in surgeons]
    table = pd.DataFrame(
        {
            "video_id": list(items),
            "path": [str(folder / f"{name}_capture1{suffix}") for name in items],
            "fps": FPS,
            "action_type": task,
            "judge_scores": list(items.values()),
            "score": [sum(values) for values in items.values()],
            "group": letters,
            "subject": letters,
        }
    )
    folds = _folds_file(root, splits)
    return finished(table if folds is None else table.assign(fold=_folds(folds, task, list(items))), source)


def label_errors(*, root: Path | str, task: str, splits: str | None = None) -> Iterator[tuple[str, str, str]]:
    """Trials whose items do not add up to the total beside them, or differ between the meta file and label.pkl."""
    meta, labels = _meta(root, task), _info(root, "label.pkl")
    if not meta.is_file():
        return
    rows = _read_meta(meta)
    for name, (total, items) in rows.items():
        if sum(items) != total:
            yield name, "total", f"items {items} add up to {sum(items)}, the meta file says {total}"
    if labels is not None:
        for name, items in _items(labels, task).items():
            if name in rows and rows[name][1] != items:
                yield name, "items", f"the meta file says {rows[name][1]}, label.pkl says {items}"


def _spelled(task: str) -> str:
    if task not in TASKS:
        raise InputError(f"jigsaws: no task '{task}', {nearest(str(task), TASKS)}")
    return TASKS[task]


def _meta(root: Path | str, task: str) -> Path:
    return Path(root) / _spelled(task) / f"meta_file_{_spelled(task)}.txt"


def _info(root: Path | str, name: str) -> Path | None:
    places = (Path(root) / folder / name for folder in ("", "info", "data/info"))
    return next((path for path in places if path.is_file()), None)


def _folds_file(root: Path | str, splits: str | None) -> Path | None:
    return Path(splits) if splits is not None else _info(root, "splits.pkl")


def _items(path: Path, task: str) -> dict[str, list[int]]:
    """Six items a trial of the task."""
    if path.suffix == ".txt":
        return {name: items for name, (_, items) in _read_meta(path).items()}
    labels = untrusted.plain(untrusted.read_pickle(path))
    if not isinstance(labels, dict) or not all(isinstance(name, str) for name in labels):
        raise InputError(f"{path}: found {type(labels).__name__}, expected a dict of six items a trial")
    names = [name for name in labels if name.startswith(_spelled(task) + "_")]
    if not names:
        raise InputError(f"{path}: holds no trial of {_spelled(task)}")
    return {name: _six(labels[name], f"{path}: trial '{name}'") for name in names}


def _read_meta(path: Path) -> dict[str, tuple[int, list[int]]]:
    """Total and six items by name; columns are parted by one tab or more."""
    if not path.is_file():
        raise InputError(f"{path}: no such file, expected it or label.pkl")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is no UTF-8, expected a text file") from None
    rows: dict[str, tuple[int, list[int]]] = {}
    for number, line in enumerate(lines, start=1):
        where, cells = f"{path}: line {number}", line.split()
        if not cells:
            continue
        if len(cells) != 9 or cells[1] not in ("N", "I", "E") or not re.fullmatch("[0-9]{1,2}", cells[2]):
            raise InputError(f"{where}: found {line.strip()[:80]!r}, expected name, N, I or E, total, six items")
        if cells[0] in rows:
            raise InputError(f"{where}: trial {cells[0]!r} stands twice, expected each once")
        items = [int(cell) if re.fullmatch("[0-9]", cell) else cell for cell in cells[3:]]
        rows[cells[0]] = int(cells[2]), _six(items, where)
    return rows


def _six(items: Any, where: str) -> list[int]:
    whole = isinstance(items, list | tuple) and all(type(item) is int and 1 <= item <= 5 for item in items)
    if not whole or len(items) != len(ITEMS):
        raise InputError(f"{where}: items {items!r}, expected six whole numbers, 1 to 5")
    return list(items)


def _folds(path: Path, task: str, names: list[str]) -> list[int]:
    """The fold of each trial; every trial stands in one."""
    splits = untrusted.plain(untrusted.read_pickle(path))
    if not isinstance(splits, dict) or _spelled(task) not in splits:
        known = map(str, splits) if isinstance(splits, dict) else ()
        raise InputError(f"{path}: no task '{_spelled(task)}', {nearest(_spelled(task), known)}")
    lists = splits[_spelled(task)]
    if not isinstance(lists, list | tuple) or not all(isinstance(fold, list | tuple) for fold in lists):
        raise InputError(f"{path}: '{_spelled(task)}' is no list of lists of names, expected one a fold")
    fold_of: dict[str, int] = {}
    for fold, trials in enumerate(lists):
        for name in trials:
            if not isinstance(name, str) or name not in names or name in fold_of:
                raise InputError(f"{path}: fold {fold} names {name!r}, expected each trial of the task once")
            fold_of[name] = fold
    for name in names:
        if name not in fold_of:
            raise InputError(f"{path}: trial '{name}' stands in no fold of '{_spelled(task)}'")
    return [fold_of[name] for name in names]
