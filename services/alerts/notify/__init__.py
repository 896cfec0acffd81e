"""Decides who is notified of a change of an issue and why, and writes the notifications.

Sending them is left to `deliver`.
"""
