"""Annotation files in, one table of samples out: one data set a file.

Each offers, with its options as keyword-only arguments:

`annotation_files(...)`      the files its samples are read from
`samples(...)`               a row a video, `COLUMNS`; more may follow, as `fold` and `part` for the protocols `given`
                             and `official`
`compose(execution, d)`      final score of an execution score and the difficulty `d`, on numbers or arrays
`execution(score, d)`        the way back
`keypoints(video_ids, ...)`  where it brings keypoints of its own: an iterator of (video id, (T, K, 3 or 4), facts)
`features(video_ids, ...)`   where it brings features of its own: an iterator of (video id, (T', D), facts)

Missing values are NaN or None. `steps` is a list of `{"sub_action": name, "first_frame": number}`, frames counted from
`first_frame` of the sample.
"""

COLUMNS = [
    *("video_id", "path", "first_frame", "last_frame", "fps", "action_type"),
    *("difficulty", "judge_scores", "score", "steps", "group"),
]
