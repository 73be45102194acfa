"""Annotation files in, one table of samples out: one data set a file, read from the folder as its authors released it.

Each offers, with its options as keyword-only arguments:

`annotation_files(...)`      the files its samples are read from; without one of them the data set counts as absent
`samples(...)`               a row a video, `COLUMNS`, and of `MORE_COLUMNS` what the data set knows
`compose(execution, d)`      final score of an execution score and the difficulty `d`, on numbers or arrays
`execution(score, d)`        the way back

and where it has them:

`counts`                     known counts of the whole release, a literal: `{"samples": 3000, "train": 2251, ...}`,
                             under an option's name and values where it decides: `{"task": {"suturing": {...}, ...}}`
`media(...)`                 by kind ("videos", "keypoints", "features", "masks", "splashes") the folders of which one
                             must be there for that kind to be read; without it the annotation files hold everything
`judged(judge_scores, d)`    final score that the rules of the sport make of one video's marks
`label_errors(...)`          an iterator of (video id, kind of mistake, text) where its files contradict themselves
`keypoints(video_ids, ...)`  keypoints of its own: an iterator of (video id, (T, K, 3 or 4), facts)
`features(video_ids, ...)`   features of its own: an iterator of (video id, (T', D), facts)

Missing values are NaN or None. A `path` is a video, whose frames count from 0, or a folder of pictures, where
`first_frame` and `last_frame` are the numbers in the files' names; both are inclusive. The path stands there whether
the file is at hand or not: a copy of a part of a data set is no mistake. `steps` is a list of
`{"sub_action": name, "first_frame": number}`, frames counted from the first of the sample.
"""

COLUMNS = [
    *("video_id", "path", "first_frame", "last_frame", "fps", "action_type"),
    *("difficulty", "judge_scores", "score", "steps", "group"),
]

MORE_COLUMNS = {
    "part": "train, validation or test, for the protocol `official`",
    "fold": "the fold in which a video is tested, for the protocol `given`",
    "event": "the competition, for `event_held_out`",
    "subject": "the person, for `subject_held_out`",
    "broadcast": "the untrimmed video that the clip was cut from",
    "identity": "a name that the same clip bears in every data set which holds it, as `mtl_aqa/03/021`",
    "masks": "a folder of pictures of the athlete's mask, named like the frames",
    "caption": "the words that a commentator says of it, with blanks between them",
    "splash": "a pickle with the splash's mask in every frame, or None (`training.pictures.SplashFiles`)",
    "keypoint_set": "what the keypoints of a keypoint file are",
}
