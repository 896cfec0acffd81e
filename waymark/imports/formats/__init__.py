"""Reads files of every supported format as rows of text, each with the line on which it begins.

`rows` chooses the reader by the file's name. What a row means is left to `waymark.imports.mapping`.
"""
