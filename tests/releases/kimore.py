"""A tiny KIMORE: eleven people of all five groups, made-up motion and scores, in the layout of the release."""

from pathlib import Path

import numpy as np
import openpyxl

PEOPLE = {
    "CG/Expert": ["E_ID1", "E_ID2"],
    "CG/NotExpert": ["NE_ID1", "NE_ID2", "NE_ID11"],
    "GPP/BackPain": ["B_ID1", "B_ID2", "B_ID3"],
    "GPP/Parkinson": ["P_ID4"],
    "GPP/Stroke": ["S_ID7", "S_ID10"],
}


def write(root: Path, *, exercises: tuple[int, ...] = (1, 3), seed: int = 0) -> None:
    """Every person has all exercises and a sheet with the scores of all five beside each."""
    rng = np.random.default_rng(seed)
    for group, people in PEOPLE.items():
        for number, person in enumerate(people):
            main = np.round(rng.uniform(3, 15, 5) * 3) / 3
            control = np.round(rng.uniform(7, 35, 5) * 3) / 3
            for exercise in exercises:
                folder = root / group / person / f"Es{exercise}"
                for name in ("Raw", "Script", "Label"):
                    (folder / name).mkdir(parents=True)
                recording(folder / "Raw", n_frames=6 + exercise + number, rng=rng)
                assessment(folder / "Label" / f"ClinicalAssessment_{person}.xlsx", person, main, control)
                (folder / "Label" / f"SuppInfo_{person}.xlsx").write_bytes(b"")


def recording(folder: Path, *, n_frames: int, rng: np.random.Generator) -> None:
    """Three files of one recording: blank rows first, a comma at the end of every row, 30.3 frames a second."""
    positions = rng.normal([0.1, -0.2, 2.5], 0.3, (n_frames, 25, 3))
    states = rng.integers(0, 3, (n_frames, 25, 1))
    stamps = 330047 * np.arange(n_frames) + 5_000_000
    tables = {
        "JointPosition": np.concatenate([positions, states], axis=2).reshape(n_frames, 100),
        "JointOrientation": rng.normal(size=(n_frames, 100)),
        "TimeStamp": stamps[:, None],
    }
    for stream, table in tables.items():
        rows = ["".join(f"{number:.9g}," for number in row) for row in table.tolist()]
        (folder / f"{stream}011214_103748.csv").write_text("\r\n\r\n" + "\r\n".join(rows) + "\r\n")


def assessment(path: Path, person: str, main: np.ndarray, control: np.ndarray) -> None:
    """The sheet of one person: total, primary outcome and control factors of the five exercises."""
    book = openpyxl.Workbook()
    titles = [f"clinical {part} Ex#{exercise}" for part in ("TS", "PO", "CF") for exercise in range(1, 6)]
    book.active.append(["Subject ID", *titles])
    book.active.append([person, *(main + control).tolist(), *main.tolist(), *control.tolist()])
    book.save(path)
