"""API keys that callers present, and secrets of others that are sealed before they are stored.

Tables are left to the services.
"""
