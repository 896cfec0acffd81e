"""The notifiers: each renders a stored message in the format of one kind of endpoint and judges what that one answers.

A notifier is one module with one value, `NOTIFIER`, and it is pure: it gets a message and a target, and returns
requests. `registry` finds them by kind. Sending is left to `http` and `smtp`, and when to try again to `retry`.
"""
