"""What readers of messages answer: links that take an issue, buttons in Slack, acknowledgements in PagerDuty.

Each is verified before anything else is looked at, and each becomes an action on an issue like those of the API:
repeated, it has no further effect, and the audit names who did it and where.
"""
