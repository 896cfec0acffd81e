"""Who is notified of a change of an issue, and why: the decisions, the routes they follow, and the rows they end in.

Leaves sending what it writes to `deliver`.
"""
