"""Carries notifications to endpoints: leases, attempts, retries, and the health of each endpoint.

Each notifier is a package of its own: there is `webhook` today, and a chat system would stand beside it. It makes its
request from the stored body of the notification, which is the standard document and one for all endpoints. `http` sends
the request. Whom to notify is left to `notify`.
"""
