"""Foreign systems: one a file, which alone imports its client, found by name (`sqlite://` is `sqlite.py`)."""
