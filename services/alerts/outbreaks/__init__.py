"""Outbreaks: one cause that many customers meet at once becomes one issue, which holds theirs.

Frictions are counted by what they have in common and by the minute in which they happened. When a count is far beyond
what is usual at that hour, one issue opens for all of them. The issues of single customers that belong to it are kept
and counted, and nobody is notified of them one by one; those that outlive the outbreak are handed out when it is over.
"""
