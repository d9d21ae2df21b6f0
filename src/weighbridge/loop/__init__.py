"""The loop, one verb a file. Each is a function of (use case, stores, clock) and returns a `Report`."""
