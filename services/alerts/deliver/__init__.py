"""Carries notifications to endpoints: leases, attempts, retries, and the health of each endpoint.

Each notifier is a package of its own: there is `webhook` today, and a chat system would stand beside it. Whom to notify
is left to `notify`.
"""
