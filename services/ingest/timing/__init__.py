"""The time of a touchpoint and its quality, from the producer's times and our own.

Pure except for `device_clocks`, which remembers the skew of each device's clock. Each replica learns alone.
"""
