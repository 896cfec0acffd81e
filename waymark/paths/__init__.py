"""`waymark paths`: the graph of paths, held against the touchpoints."""
