"""What it costs, measured beside peers in the same run: `weigh bench`."""
