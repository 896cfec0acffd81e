"""From the file of a channel system to the touchpoints of its deliveries.

`system_schema` is the shape of a file, `system_files` reads and checks it, `compiler` prepares its parts from `paths`,
`values` and `conditions`, and `delivery_mapper` applies them to a delivery. Pure but for the reading of files.
"""
