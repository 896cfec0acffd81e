"""How sessions with PostgreSQL are opened: to which server, past which pooler, and what holds for the length of one."""
