"""Renews customers: projects them from their touchpoints, compares with what is stored, and writes the difference.

A batch of records, a fired timer and a repair all end here. What a projection says is left to the domain.
"""
