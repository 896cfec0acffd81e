"""The inbox: lists of issues, everything about one, and what people can do to it. Leaves HTTP to `api`."""
