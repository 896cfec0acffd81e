"""Answers about all customers together, from sums that are kept with every batch: paths, segments and funnels."""
