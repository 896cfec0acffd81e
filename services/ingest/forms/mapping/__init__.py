"""The mapping language: rules that say which members of a touchpoint are made of what in a message.

A rule has a test (`conditions`) and, for each member (`members`), a reader, which finds a value (`paths`, `values`) and
reads it (`readings`). A reader returns None to leave its member out and raises `UnreadableValueError` for a value that
it cannot read; `rules` applies them and reports what could not be read. Rules are compiled once, not with each message,
and no expression is ever evaluated. Pure.

Four fronts have a syntax of their own for it, because files in that syntax exist, and translate it into these rules:
the files of channel systems (`forms.webhooks.mapping`), a source's Segment mapping (`forms.segment.segment_mapping`),
its rules for CloudEvents (`forms.cloudevents.event_rules`) and the mappings of imports (`waymark.imports.mapping`).
What differs between them differs on purpose, and docs/mapping.md shows it.
"""
