"""`waymark privacy` and `waymark suppress`: what of a person is kept, and of whom nothing is taken.

`policy_trial` tries a privacy policy before ingest has it; `pseudonym_maker` makes what the suppression list holds.
"""
