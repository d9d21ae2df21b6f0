"""Decisions of the past, made again."""
