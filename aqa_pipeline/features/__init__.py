"""Keypoints, frames or files in, one feature sequence a video out.

A plugin names its `source` ("keypoints", "frames" or "files") and offers `build(*, ...) -> extractor`. Called with

- keypoints: `extractor(keypoints (T, K, C), *, keypoint_set, fps, width, height)`,
- frames: `extractor(frames, boxes (T, 5))` on an iterable of `(H, W, 3)` pictures,
- files: `extractor(video_id)`,

it returns `(T', D)` float32.
"""
