"""Load on the HTTP door, and what it does to it."""
