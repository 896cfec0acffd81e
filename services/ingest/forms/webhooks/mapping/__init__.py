"""The mapping language in the files of channel systems: from such a file to the touchpoints of its deliveries.

`system_schema` is the shape of a file, `system_files` reads and checks it, `compiler` makes rules of its parts, whose
paths are those of `event_paths`, and `delivery_mapper` applies them to a delivery. Pure but for the reading of files.
"""
