"""The five documents that the topics carry, one module each: their types, and how a record's value is read and written.

The JSON Schemas beside this package say the same to the world; tests hold the two together.
"""
