"""Arrays in, arrays out: the exact functions that history, one event and every check share."""
