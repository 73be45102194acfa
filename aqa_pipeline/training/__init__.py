"""Loops that train what the other rooms build."""
