"""What every process needs and no process is about: a clock, settings, and a room for each thing it rests on."""
