"""The HTTP API of the alert service: issues, endpoints, routes, the live stream, and the console.

Each resource is a module; decisions and SQL are left to the other packages.
"""
