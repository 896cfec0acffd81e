"""Personal data on its way in: what is kept of it, in which form, and of whom nothing is taken.

`policy` reads the operator's file, `treatment` carries it out on an accepted touchpoint, `sealing` encrypts and opens
single values, `suppressions` holds the list of those who must not be kept, `screen` puts both before publishing.
"""
