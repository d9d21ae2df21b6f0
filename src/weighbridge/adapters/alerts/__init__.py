"""Sinks of alerts: each file one kind of receiver."""
