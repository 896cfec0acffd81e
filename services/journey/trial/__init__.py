"""Tries rules before they are in force: on cases that somebody wrote, and on stored customers. It writes nothing."""
