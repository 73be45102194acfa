"""Detectors, one a file: `build(...)` gives a callable from frames to candidate boxes.

One that reads files offers `for_video(video_id, numbers)`, a detector for the frames of one video. One that follows the
athlete with a box that turns also offers `corners(video_id, size) -> (T, 4, 2)`, in pixels of frames of that size.
"""
