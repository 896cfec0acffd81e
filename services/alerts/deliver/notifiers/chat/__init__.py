"""Notifiers of chat systems: Slack, Microsoft Teams, JANDI, Dooray."""
