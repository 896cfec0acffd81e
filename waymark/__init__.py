"""The operator's command: a folder for each feature holds its sub-command and what the sub-command stands on.

A module `..._command` takes flags, leaves the work to its neighbours, and prints results. It imports nothing heavy at
its top, so that `--help` and shell completion answer at once.
"""
