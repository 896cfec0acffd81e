"""Compares what the touchpoints of a customer say with what is stored, and returns the changes to write."""
