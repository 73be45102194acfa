"""Arrays in, number out: one metric a file, numpy and scipy only.

Every metric is `(predicted, true, *, weights=None)` over N clips: `(N,)` values, or `(N, 2)` transitions, give a float.
With `weights` `(draws, N)`, how often each clip stands in a bootstrap draw, the answer is `(draws,)`: what the metric
would be on clips repeated that often. `predicted` may hold several predictions of the same clips, `(S, N)` or
`(S, N, 2)`; the answer then has S as its first axis. So thousands of draws are a few array operations, each side is
sorted once for all of them, and the true values once for all predictions.
What cannot be computed (no samples, a rank of a constant) is NaN.

A module may say more about its metric in constants:

- `of = "mark"`: it compares execution marks (score with the difficulty taken out), `of = "transitions"`: the frames
  where one step turns into the next, on the 96-frame grid; final scores without it;
- `family = "correlation"`: a correlation of ranks. It means nothing for a constant predictor, and is averaged over data
  sets by Fisher's z. `family = "mean"`: the mean over clips of a term that a clip has alone. A test of two systems by
  permutation needs to know; a metric of neither family is compared by bootstrap only;
- a keyword `score_range` of its function: the scale it divides by; a bootstrap holds it at that of the whole test set.
"""
