"""AQA systems, one a file. Their options are keyword-only; what they predict is the target they are trained on.

A network offers `build(facts, *, ...) -> nn.Module` with `loss(batch) -> {term: scalar}` and `predict(batch) -> (B,)`,
which averages the exemplars' votes, and `tiny`, options that make it small enough for a test. `facts` is a
`batches.Facts`.

One that compares pairs is a `_comparison.Comparison`: it encodes clips and compares what it encoded, so that prediction
encodes each clip once. What a network learns end to end, it reads as the modality "frames" (`Facts.pictures`); what is
stored, as feature sets (`Facts.dims`); `_encoders` is the common way to either. Further hooks of a network, where it
has them: `learn_labels(labels)` is called once before training with the training part as `batches.Clips` without
inputs (what it takes from them, such as the edges of leaves, must be in its state_dict), `set_progress(share)` before
every step with the share of the steps that are done.

A network whose options are a paper's offers `from_official(state_dicts) -> state dict`: the released parameters under
our names, for `build` with the paper's options. `docs/parity.md` says how close both are.

A classic offers `fit(train, facts, *, ...) -> {name: array}` on one batch with the whole training part, and
`predict(weights, test) -> (N,)`. They are handed arrays in the place of tensors, so that their jobs load no torch, and
weights are arrays, so that nothing is ever unpickled. One that finds the transitions between the steps also offers
`segment(weights, test) -> (N, 2)`, positions on the 96 frames of `transitions`.

A classic with `one_by_one = True` is handed an iterable of batches of one clip in the place of either batch: every
sequence as long as it is, pictures only while they are looked at. It may be gone through as often as is needed.

`needs` says what a system reads besides the samples: "features", "draws" (it is trained by the loop, step by step),
"exemplars", "sub_actions", "transitions", "captions" (where there are any), "masks" (of athletes), "splashes" (masks
too), "tubes" (the athlete's boxes on the pictures, also at test), "truth", "pictures" (the modality "frames", without
which it cannot do). `raw_target = True` leaves the target in its own units, for systems with bins or leaves. A system
that makes sense for one target alone names it as `target`. Options are named that say more: as `exemplar_choice` the
one that must be the same as `exemplars.choose`, as `mask_option` the one that learns from masks unless it is 0, as
`role_option` the one that needs the role of its own name unless it is false.
"""
