"""Predictions and stage outputs in, figures out."""
