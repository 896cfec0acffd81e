"""`waymark impact`: what a rule, a fix, a team or a date changed."""
