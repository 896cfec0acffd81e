"""What is in the shadow: putting rules there and taking them out, and what they find beside those in force."""
