"""Samples of progress and vitals: rolled up with age, and read as columns for a plot."""
