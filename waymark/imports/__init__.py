"""`waymark import`: a file of past contacts becomes touchpoints, in event order, as a replay.

`mapping` says what a mapping file may say, `values` makes a field's value from a row, `rows` reads files, `recipe`
makes a row's touchpoints, `spool` puts them in event order, `sending` posts them, `checkpoint` remembers how far that
came, `run` puts the parts together.
"""
