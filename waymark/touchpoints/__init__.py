"""`waymark send` and `waymark tail`: posts a touchpoint, and shows what a source sends as it arrives."""
