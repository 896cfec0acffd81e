"""`waymark topics`: makes the topics that the contract declares, and compares those that exist."""
