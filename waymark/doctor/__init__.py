"""`waymark doctor`: looks at everything a running Waymark needs, and says for each finding how to mend it.

`finding` is what a check answers; `surroundings`, `kafka`, `postgres` and `processes` hold the checks; `examine` runs
them. A check changes nothing.
"""
