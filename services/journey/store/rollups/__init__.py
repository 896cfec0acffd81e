"""Sums that are kept by differences: batches append, one worker at a time folds, readers add up both."""
