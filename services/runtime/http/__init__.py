"""HTTP as every process serves it: an application with problem documents, health, metrics and docs, and a server.

Routes are left to the services.
"""
