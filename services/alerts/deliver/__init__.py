"""Carries notifications to endpoints: leases, attempts, retries, and the health of each endpoint.

A way to reach people is a package of its own: `webhook` today, a chat system beside it later. Leaves whom to notify to
`notify`.
"""
