"""The hot path: one event from the door to its decision, and what it needs to decide."""
