"""Embedded engines behind the ports: memory, SQLite for what is hot, Parquet for what is sealed."""
