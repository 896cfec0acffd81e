"""Reads the topic `frictions` and applies each batch once. Leaves which issue a friction joins to `issues`."""
