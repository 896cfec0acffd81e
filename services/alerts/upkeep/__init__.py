"""Periodic work: snoozes and leases end, gauges are refreshed, old rows are deleted."""
