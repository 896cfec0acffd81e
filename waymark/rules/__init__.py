"""`waymark rules`: what rules say about cases and about stored customers, before they are in force."""
