"""The privacy of incoming personal data: what is kept, in which form, and which people are suppressed.

`policy` reads the operator's file, `policy_applier` applies it to an accepted touchpoint, `value_sealing` encrypts and
opens single values, `suppressions` holds the list of suppressed people, which `suppression_administration` changes, and
`screen` applies both before publishing.
"""
