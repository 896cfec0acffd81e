"""The alert service over HTTP: the inbox, who is told, the live stream, the console."""
