"""A user's own project: columns are guessed, a declaration is written, files stand around it."""
