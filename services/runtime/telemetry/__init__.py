"""What a process tells about itself: structured logs, health checks and metrics."""
