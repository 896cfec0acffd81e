"""`waymark privacy` and `waymark suppress`: what of a person is kept, and of whom nothing is taken.

`policy_trial` tries a privacy policy before ingest has it; `suppression_list` changes the list that ingest reads.
"""
