"""The parts of `weighbridge.testing.time_semantics`: a door, a scene, a proof, and the scenarios by subject."""
