"""Notifiers that page people: PagerDuty."""
