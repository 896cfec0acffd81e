"""The read API's process: its routes, who may use them, and what it counts. `app` puts it together.

What is answered, and how it is read, is left to `services.journey.read`.
"""
