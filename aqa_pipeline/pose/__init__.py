"""Keypoint estimators, one a file: `build(...)` gives a callable from frames and boxes to keypoints."""
