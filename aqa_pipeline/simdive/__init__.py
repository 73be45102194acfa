"""Simulated dives: a body in ballistic flight with known faults, judged by a documented rule, and filmed.

World: metres and seconds; x points away from the board, y up with the water at 0, z towards the camera.
"""
