"""What operators ask of identity, and say of it, for the command and the API alike."""
