"""From competition video to the score tables of the action quality assessment literature.

`score(videos, run=...)` scores videos of one's own by a trained run, see `judging.judge.score`.
"""

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "score":  # when it is asked for: importing the package stays instant
        from aqa_pipeline.judging.judge import score

        return score
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
