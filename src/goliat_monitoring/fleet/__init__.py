"""Lifecycle rules of runs, assignments and workers. Pure: facts and a clock in, decisions out."""
