"""Rules: reasons to call something friction, as data of four closed shapes, and how they are evaluated."""
