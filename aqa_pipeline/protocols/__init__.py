"""How videos are parted into training, validation and test: one protocol a file.

Each offers `folds(samples, *, n_folds, seed, validation=0.0)`, a table `video_id, fold, part` with a row for every
video of every fold and part in train / validation / test, sorted by fold and video id. The result depends on the set
of samples, never on the order of their rows. Further keyword-only arguments are options of the protocol's block.
"""
