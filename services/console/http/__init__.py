"""The console over HTTP: sessions, the pages, and the closed list of what is forwarded."""
