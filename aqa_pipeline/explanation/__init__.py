"""Why a run predicted what it did: contributions that sum to the prediction, and angles measured on the athlete.

What has not passed its test on simulated dives with one fault put in (`benchmarks/explanations.md`) is not shown.
"""
