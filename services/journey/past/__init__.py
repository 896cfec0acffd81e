"""How a customer stood at a moment of the past: the worker's engine on what was appended by then. Writes nothing."""
