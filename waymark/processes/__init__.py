"""`waymark serve`: runs one process in the foreground, once its settings are known to be right.

`variables` knows every setting of every process; the doctor and the local stack use it too.
"""
