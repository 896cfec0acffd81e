"""What Waymark is measured against: each module is a program that does the same work another way."""
