"""Use cases that ship with weighbridge. Each file is one declaration and imports `declare` only."""
