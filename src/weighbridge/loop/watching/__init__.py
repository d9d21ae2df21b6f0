"""What a watch looks at, and who hears of it."""
