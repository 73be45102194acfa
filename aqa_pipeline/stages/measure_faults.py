"""Ask keypoints for the latent faults of simulated dives: what does not reach them, no system can learn from them."""

from __future__ import annotations

from pathlib import Path

from aqa_pipeline.stages import command_line

VERSION = 1


def measure_faults(samples: Path, out: Path, *, truth: list[Path], keypoints: list[Path]) -> None:
    """Write the rank correlation of each fault with its measure from true and estimated KEYPOINTS to OUT, a CSV."""
    import pandas as pd

    from aqa_pipeline import stores
    from aqa_pipeline.evaluation import quality

    rows = quality.fault_rows(stores.read_table(samples), truth, keypoints)
    with stores.replacing(out) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False, float_format="%.4f", lineterminator="\n")


if __name__ == "__main__":
    command_line(measure_faults)
