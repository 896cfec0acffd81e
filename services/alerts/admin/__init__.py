"""What administrators change: teams, endpoints with their secrets, routes, API keys. Leaves HTTP to `api`."""
