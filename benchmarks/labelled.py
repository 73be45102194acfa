"""What detectors and estimators that need no download are worth on labelled pictures of real people.

    AQA_REALDATA=... python benchmarks/labelled.py       writes benchmarks/labelled.md

HP-MCoRe's example frames (two dives, 16 joints of MPII), four pictures of COCO with many people, five of MPII. By the
stage that the workflow runs; nothing here was used to choose anything but what `blazepose.md` says.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pandas as pd

from aqa_pipeline.stages.measure_labelled import measure_labelled

HERE = Path(__file__).parent
SETS = {
    "hpmcore": dict(form="mpii", annotations="hpmcore_examples/annotations.json", images="hpmcore_examples/images"),
    "coco": dict(
        form="coco",
        annotations="pose_testdata/tests/data/coco/test_coco.json",
        images="pose_testdata/tests/data/coco",
    ),
    "mpii": dict(
        form="mpii", annotations="pose_testdata/tests/data/mpii/test_mpii.json", images="pose_testdata/tests/data/mpii"
    ),
}
DETECTORS = {
    "embedded": dict(use="embedded", options={}),
    "blazepose": dict(use="blazepose", options={}),
    "blazepose_near": dict(use="blazepose", options={"scales": [1.0, 0.5]}),
}
ESTIMATORS = {"embedded": dict(use="embedded", options={}), "blazepose": dict(use="blazepose", options={})}
PAIRS = (
    *("embedded.embedded", "given.embedded"),
    *("blazepose.blazepose", "blazepose_near.blazepose", "given.blazepose"),
)
SHOWN = ("pck_20", "pck_10", "oks", "ap", "ap_50", "ar")


def measured(root: Path, name: str) -> pd.DataFrame:
    """Rows of one set, all its pictures together."""
    files = {key: str(root / value) if key != "form" else value for key, value in SETS[name].items()}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "rows.csv"
        measure_labelled(
            out,
            labelled={**files, "options": {}, "groups": []},
            detectors=DETECTORS,
            estimators=ESTIMATORS,
            detection=list(DETECTORS),
            pose=list(PAIRS),
            threads=os.cpu_count() or 1,
        )
        table = pd.read_csv(out)
    return table[table["group"] == "all"].set_index(["name", "metric"])


def lines_of(root: Path, name: str) -> list[str]:
    """A row a pair of detector and estimator."""
    table, lines = measured(root, name), []
    for pair in PAIRS:
        detector = pair.partition(".")[0]
        recall = "-" if detector == "given" else cell(table.loc[(detector, "recall_iou_50")])
        cells = [cell(table.loc[(pair, metric)]) for metric in SHOWN]
        lines.append(f"| {name} | {pair.replace('.', ' boxes, ')} | {recall} | {' | '.join(cells)} |")
    return lines


def cell(row: pd.Series) -> str:
    """A figure with its interval."""
    return f"{row['value']:.3f} ({row['ci_low']:.3f} to {row['ci_high']:.3f})"


def main() -> None:
    """All sets, then the file beside this one."""
    if not os.environ.get("AQA_REALDATA"):
        sys.exit("AQA_REALDATA is not set: it names the folder with hpmcore_examples and pose_testdata")
    root = Path(os.environ["AQA_REALDATA"])
    lines = [line for name in SETS for line in lines_of(root, name)]
    (HERE / "labelled.md").write_text("\n".join([HEAD, *lines]) + "\n")


HEAD = """# On labelled pictures of real people

Made by `python benchmarks/labelled.py`, by the stage `measure_labelled`. A person without a pose is wrong in every
keypoint. hpmcore: 69 frames of two dives, 12 joints that labels and estimators share; coco: four pictures, 14 people of
whom 12 have keypoints, many of them small or cut; mpii: five pictures of one person each. AP, AP at OKS 0.5 and AR by
pycocotools. In brackets 95 % bootstrap intervals over pictures: with four or five pictures they say little, and on
hpmcore they speak of other frames of these two dives. Where only the athlete is labelled, poses of others count
against AP. `given`: the labelled boxes; `blazepose_near` also searches squares of half the picture's side.

| set | boxes, estimator | recall at IoU 0.5 | PCK@0.2 | PCK@0.1 | OKS | AP | AP 0.5 | AR |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |"""


if __name__ == "__main__":
    main()
