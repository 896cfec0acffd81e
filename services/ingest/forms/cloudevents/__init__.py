"""CloudEvents 1.0.2 over HTTP on `POST /v1/touchpoints`: binary, structured and batched, judged by the specification.

`values` judges single values, `binary` and `structured` read an event, `mapping` makes a touchpoint of it by the rules
of `configuration`, and `form` is what the route sees. No SDK of the makers is used: those of Python and JavaScript take
what the specification refuses, and the Python one refuses what it takes.
"""
