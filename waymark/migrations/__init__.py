"""`waymark migrate`: brings a database up to date, or says how far it is."""
