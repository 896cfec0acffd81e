"""The three services of Waymark, and the runtime they stand on."""
