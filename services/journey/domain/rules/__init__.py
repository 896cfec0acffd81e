"""Rules: the reasons to call something friction. They are data, each of one shape; this package evaluates them."""
