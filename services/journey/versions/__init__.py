"""Versions of policies: stored with author and note, in force from a moment on, the same for every worker."""
