"""The tables of the journey service, one module a noun: the only place in it that speaks SQL.

Every function takes the connection of the caller's transaction and works on whole sets (arrays in, rows out); the
order in which a transaction may call them is the lock order: progress, seen, identifiers, customers, journeys, timers.
"""
