"""What the alert service decides, as pure functions of values and `now`; it knows neither Kafka nor SQL nor HTTP."""
