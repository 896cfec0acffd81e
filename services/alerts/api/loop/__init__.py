"""The resources of closing the loop."""
