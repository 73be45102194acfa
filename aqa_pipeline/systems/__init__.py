"""AQA systems, one a file. Their options are keyword-only; what they predict is the target they are trained on.

A network offers `build(facts, *, ...) -> nn.Module` with `loss(batch) -> {term: scalar}` and `predict(batch) -> (B,)`,
which averages the exemplars' votes, and `tiny`, options that make it small enough for a test. `facts` is a
`batches.Facts`.

A classic offers `fit(train, facts, *, ...) -> {name: array}` on one batch with the whole training part, and
`predict(weights, test) -> (N,)`. Weights are arrays, so that nothing is ever unpickled. One that finds the transitions
between the steps also offers `segment(weights, test) -> (N, 2)`, positions on the 96 frames of `transitions`.

`needs` says what a system reads besides the samples: "features", "draws" (it is trained by the loop, step by step),
"exemplars", "sub_actions", "transitions", "truth". A system that makes sense for one target alone names it as `target`.
"""
