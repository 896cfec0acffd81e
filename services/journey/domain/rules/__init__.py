"""Rules: the reasons to call something friction. They are data of four shapes; this package evaluates them."""
