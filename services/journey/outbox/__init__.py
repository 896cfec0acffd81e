"""The outbox: rows written in the transaction of the effect they tell of, and the relay that publishes them."""
