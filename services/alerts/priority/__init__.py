"""What is urgent: service levels with their deadlines in business time, and the priority that orders the inbox.

A priority is stored with the factors that make it, so that everybody sees why; it changes as the journey goes on.
"""
