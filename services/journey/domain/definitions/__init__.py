"""Journeys as definitions: what begins one, which stages it has, by when, and how it ends."""
