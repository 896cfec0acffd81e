"""The notifier of Standard Webhooks: its signatures, and the secrets that sign."""
