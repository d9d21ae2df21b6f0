"""What a validation looks at, stage by stage: raw tables, vectors, splits, requests."""
