"""The inbox: lists of issues, the details of one, and the actions of people. HTTP is left to `api`."""
