"""Alerts: frictions become issues, people are notified of them, and the inbox shows what is left to do."""
