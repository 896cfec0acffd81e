"""Turns one row of text into touchpoints, as a mapping file says.

`mapping_file` knows the shape of such a file, `recipe` makes it ready for work, and the other modules read single
values. Reading files is left to `waymark.imports.formats`.
"""
