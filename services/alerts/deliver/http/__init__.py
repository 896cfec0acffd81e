"""One HTTP attempt to an endpoint, and the guard that keeps it out of private networks. Every notifier sends by it."""
