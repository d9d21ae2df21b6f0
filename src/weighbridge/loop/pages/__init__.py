"""Pages for people: one file each, nothing from elsewhere, no script."""
