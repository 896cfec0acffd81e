"""When it happened: from the producer's times and our own, the time that a touchpoint gets, and how good it is.

Pure but for `clocks`, which remembers what was learnt about each device's clock. Each replica learns alone.
"""
