"""What happens by the clock: snoozes and leases end, gauges are refreshed, old rows are deleted."""
