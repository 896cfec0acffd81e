"""The contract: the only thing the services agree on.

JSON Schemas, topics as data, catalogues and examples live here, with thin accessors in Python. Nothing in this package
reads the environment, opens a socket or knows a service. `schemas/README.md` says how to change it.
"""
