"""A trained run and videos of one's own in; a verdict on each out, or the reason why there is none.

`trained` finds what a run left behind, `labels` what is known of the videos; `recipe` makes of them what the run was
trained on, `refusal` says when not to answer, `models` asks, `intervals` says how far off the answer may be, `verdict`
what it is. `judge` goes through the videos; `page` and `terminal` show what it says.
"""
