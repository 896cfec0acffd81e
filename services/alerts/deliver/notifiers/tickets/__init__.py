"""Notifiers that keep a ticket or an event per issue: ServiceNow, Zendesk."""
