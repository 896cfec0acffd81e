"""A model of the house that reads texts in place of the word lists: an HTTP endpoint, or a function of a package."""
