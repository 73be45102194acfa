"""Keypoints, frames or files in, one feature sequence a video out.

A plugin names its `source` ("keypoints", "frames" or "files") and offers `build(*, ...) -> extractor`. Called with

- keypoints: `extractor(keypoints (T, K, C), *, keypoint_set, fps, width, height)`,
- frames: `extractor(frames, boxes (T, 5))` on an iterable of `(H, W, 3)` pictures; one that says `boxes = "optional"`
  also as `extractor(frames)`, on a sequence of them,
- files: `extractor(video_id)`,

it returns `(T', D)` float32: a row a frame, or, where it has `first_frames(n) -> (T',)`, a row for what begins at each
of these frames of a clip of `n`.
"""
