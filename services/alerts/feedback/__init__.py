"""Whether it was of use to be told of an issue, as people say it, counted for the rules."""
