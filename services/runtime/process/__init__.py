"""What a process does for itself: it meets its dependencies, guards its tasks and refreshes what it holds."""
