"""Fires timers once the stream has passed their due time. The rows are kept by `services.journey.store.timer_rows`."""
