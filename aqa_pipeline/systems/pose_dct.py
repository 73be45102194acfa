"""Pose+DCT: a score that is linear in how strongly each joint moves at each low frequency.

Pirsiavash, Vondrick, Torralba, "Assessing the Quality of Actions", ECCV 2014. Positions of the joints, seen from the
head, are cut into equal stretches of time; of each joint's path in each stretch the absolute values of the lowest
frequencies are kept; a linear nu-SVR learns the score from them, unscaled. As the score is linear in them, its gradient
says which joint should move where: the paper's feedback.

The paper's joints are 26 parts, found by a model of deformable parts. Ours are the keypoints of this pipeline (HRNet in
the variant `default`), by `features/positions.py`, with the nose for the head. Figures are to be compared with that in
mind.

Their code was read but cannot be run, as the function of its cosine transform is missing. What that leaves open:

    transform     "dct", orthonormal DCT-II, in a stretch shorter than the coefficients filled up with zeros (our
                  reading); "dft", the paper's other row, without a factor, as in the code. That takes the first
                  frequencies of all, so of short stretches some twice

Shapes: T frames, D channels (coordinates of joints), S stretches, F frequencies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

import numpy as np
from scipy import fft

from aqa_pipeline.batches import Clips, Facts
from aqa_pipeline.errors import InputError, expect_one_of

needs = {"features"}
one_by_one = True  # frequencies are of the whole clip, whose length counts

TRANSFORMS = ("dct", "dft")

tiny = dict(coefficients=4, segments=2)


def fit(
    train: Iterable[Clips],
    facts: Facts,
    *,
    transform: str = "dct",
    coefficients: int = 50,
    segments: int = 1,
    C: float = 1e-3,
    nu: float = 0.5,
) -> dict[str, np.ndarray]:
    """Fit on all training clips.

    transform, coefficients, segments
        What is kept of each clip: which transform, F, and S: 1 for a dive, 10 for a skating programme.
    C, nu
        Of the nu-SVR, as in the released code. C knows the size of a coordinate: pixels.
    """
    from sklearn.svm import NuSVR

    expect_one_of("pose_dct.transform", transform, TRANSFORMS)
    for name, found in (("coefficients", coefficients), ("segments", segments)):
        if found < 1:
            raise InputError(f"pose_dct.{name}: found {found}, expected 1 or more")
    of_clips, target = [], []
    for clip in train:
        of_clips.append(np.abs(spectra(sequence_of(clip), transform, coefficients, segments)))
        target.append(float(clip.target[0]))
    strengths = np.stack(of_clips)  # (N, S, F, D)
    model = NuSVR(kernel="linear", C=C, nu=nu).fit(strengths.reshape(len(strengths), -1), target)
    return dict(
        slopes=model.coef_.reshape(strengths.shape[1:]),
        intercept=model.intercept_,
        transform=np.array([TRANSFORMS.index(transform)]),
    )


def predict(weights: Mapping[str, np.ndarray], test: Iterable[Clips]) -> np.ndarray:
    """Predicted target (N,)."""
    return np.array([score(weights, sequence_of(clip)) for clip in test])


def score(weights: Mapping[str, np.ndarray], sequence: np.ndarray) -> float:
    """Predicted target of one clip (T, D)."""
    strengths = np.abs(spectra(sequence, *_transform_of(weights)))
    return float((weights["slopes"] * strengths).sum() + weights["intercept"][0])


def gradient(weights: Mapping[str, np.ndarray], sequence: np.ndarray) -> np.ndarray:
    """How the predicted target of one clip (T, D) grows with each coordinate in each frame, (T, D).

    A frequency that does not occur has no direction, and adds nothing.
    """
    transform, coefficients, segments = _transform_of(weights)
    found = spectra(sequence, transform, coefficients, segments)
    strengths = np.abs(found)
    of_spectra = weights["slopes"] * np.conj(found) / np.where(strengths > 0, strengths, 1)  # (S, F, D)
    parts = []
    for part, slopes in zip(_stretches(sequence, segments), of_spectra, strict=True):
        kept = np.zeros(part.shape, slopes.dtype)
        kept[:coefficients] = slopes[: len(part)]
        # of an orthonormal transform the transposed one is the inverse; the matrix of the DFT is symmetric
        back = fft.idct(kept, axis=0, norm="ortho") if transform == "dct" else fft.fft(kept, axis=0).real
        parts.append(back)
    return np.concatenate(parts)


def spectra(sequence: np.ndarray, transform: str, coefficients: int, segments: int) -> np.ndarray:
    """The lowest frequencies of each stretch of a sequence (T, D), (S, F, D); complex of the "dft"."""
    if len(sequence) < segments:
        raise InputError(
            f"pose_dct.segments: found {segments} for {len(sequence)} frames, expected no more than frames"
        )
    found = np.zeros((segments, coefficients, sequence.shape[1]), complex if transform == "dft" else float)
    for row, part in zip(found, _stretches(sequence, segments), strict=True):
        whole = fft.dct(part, axis=0, norm="ortho") if transform == "dct" else fft.fft(part, axis=0)
        row[: len(whole)] = whole[:coefficients]
    return found


def sequence_of(clip: Clips) -> np.ndarray:
    """The channels (T, D) float64 of all feature sets of one clip."""
    return np.concatenate([np.asarray(clip.inputs[name][0], np.float64) for name in sorted(clip.inputs)], axis=1)


def _stretches(sequence: np.ndarray, segments: int) -> Iterator[np.ndarray]:
    """Equal stretches of time, their ends rounded as in the released code."""
    ends = np.floor(np.arange(segments + 1) * len(sequence) / segments + 0.5).astype(int)
    return (sequence[start:end] for start, end in pairwise(ends))


def _transform_of(weights: Mapping[str, np.ndarray]) -> tuple[str, int, int]:
    """Transform, coefficients and segments that the weights were fitted with."""
    segments, coefficients, _ = weights["slopes"].shape
    return TRANSFORMS[int(weights["transform"][0])], coefficients, segments
