"""`waymark dlq`: finds dead letters of every stage, shows them and sends them again.

`letters` reads what the worker and alerts put away in PostgreSQL, `rejections` what ingest rejected to its topic;
`requeue` decides how each kind goes back.
"""
