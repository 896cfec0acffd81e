"""Administration: teams, endpoints with their secrets, routes, API keys; HTTP is left to `api`."""
