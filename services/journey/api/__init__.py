"""The read API: what it answers, to whom, and how it reads it. `services.journey.api_app` runs it."""
