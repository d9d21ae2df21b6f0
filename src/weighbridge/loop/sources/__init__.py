"""Declared sources: how their files come, are unpacked, read and judged."""
