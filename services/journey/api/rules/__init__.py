"""Rules over HTTP: what is in force and was, checking a file, and putting one in force."""
