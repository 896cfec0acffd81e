"""Answers questions about customers and journeys from one consistent snapshot of the tables. Writes nothing.

Who may ask, and how an answer travels over HTTP, is left to `services.journey.api`.
"""
