"""Notifiers that post a document to a program: Standard Webhooks, Alertmanager's body, a template of one's own."""
