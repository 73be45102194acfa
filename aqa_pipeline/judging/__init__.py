"""A trained run and videos of one's own in; a verdict on each out, or the reason why there is none.

`trained` finds what a run left behind, `recipe` makes of a new video what the run was trained on, `refusal` says when
not to answer, `intervals` how far off an answer may be, `verdict` what the answer is, `judge` goes through the videos
and `page` shows them.
"""
