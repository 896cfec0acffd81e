"""The sub-commands of `waymark`, one module each: flags in, work elsewhere, results out.

A module here imports nothing heavy at its top, so that `--help` and shell completion answer at once.
"""
