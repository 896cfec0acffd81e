"""Settles who is who where links conflict: reads all that is connected, lets the domain decide, writes the difference.

What joins customers without any conflict never comes here: `services.journey.apply.resolution` sorts that out first.
"""
