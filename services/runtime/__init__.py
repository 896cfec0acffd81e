"""What every process needs and no process is about: a clock, settings, and a room for each thing that it depends on."""
