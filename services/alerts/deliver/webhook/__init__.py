"""Standard Webhooks: addresses that are allowed, signatures and their secrets, one HTTP attempt."""
