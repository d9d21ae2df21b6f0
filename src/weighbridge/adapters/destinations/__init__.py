"""Where streams are published: one destination a file, found by the scheme of its address."""
