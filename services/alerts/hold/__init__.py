"""What waits: held notifications, repeats and groups. All are rows with a due time, so that no restart forgets one."""
