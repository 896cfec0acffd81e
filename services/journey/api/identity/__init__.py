"""Identity for operators: why, what would be, and words that change who is who."""
