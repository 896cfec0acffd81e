"""What people write: YAML read strictly, and everything in which it is not of the shape that it is to have."""
