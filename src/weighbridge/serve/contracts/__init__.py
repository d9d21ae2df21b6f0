"""A contract in the words of others: JSON Schema, Pandera, Avro, a data dictionary."""
