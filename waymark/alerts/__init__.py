"""`waymark alerts`: who is notified of what, and when: check, import and try the policy."""
