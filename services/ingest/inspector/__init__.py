"""The inspector: what a source sent lately, what became of it, why, and how to put it right.

Recording keeps references in bounded rings; everything else happens when somebody looks. What was sent is shown by its
structure and the shapes of its values, never by the values.
"""
