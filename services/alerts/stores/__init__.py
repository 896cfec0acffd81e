"""SQL of the alert service, one module per group of tables; each turns rows into the domain's values at once.

Every function takes the connection of the caller's transaction. Leaves transactions, retries and decisions to others.
"""
