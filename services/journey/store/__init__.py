"""The tables that several rooms of the journey service share, one module for each noun.

Every function takes the connection of the caller's transaction and works on whole sets: arrays in, rows out. A
transaction takes locks in one order: progress, seen touchpoints, identifiers, customers, journeys, timers. A table that
only one room uses stands in that room.
"""
