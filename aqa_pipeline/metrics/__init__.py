"""Arrays in, number out: one metric a file, numpy and scipy only.

Every metric takes `predicted` and `true` and works over the last axis, so that thousands of bootstrap draws are one
call: `(N,)` gives a float, `(draws, N)` gives `(draws,)`. What cannot be computed (no samples, a rank of a constant)
is NaN.

A module may say more about its metric in constants:

- `of = "mark"`: it compares execution marks (score with the difficulty taken out) and not final scores;
- `family = "correlation"`: it means nothing for a constant predictor, and is averaged over data sets by Fisher's z;
- a keyword `score_range` of its function: the scale it divides by; a bootstrap holds it at that of the whole test set.
"""
