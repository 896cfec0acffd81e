"""CloudEvents 1.0.2 over HTTP on `POST /v1/touchpoints`: binary, structured and batched, judged by the specification.

`attribute_types` judges single values, `binary_mode` and `structured_mode` read an event, `event_conversion` makes a
touchpoint of it by `source_rules`, and `cloudevents_form` is what the route sees. No SDK of the CloudEvents project is
used: those for Python and JavaScript accept what the specification forbids, and the Python one rejects what it allows.
"""
