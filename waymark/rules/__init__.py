"""`waymark rules`: what rules say about cases and about stored customers, and which of them are in force."""
