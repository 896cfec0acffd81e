"""Reads YAML that people write, strictly: every difference from its declared shape is reported with its line.

`schemas.data_files` reads the contract's own YAML files.
"""
