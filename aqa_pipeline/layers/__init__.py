"""Blocks of torch and array code that two or more rooms share."""
