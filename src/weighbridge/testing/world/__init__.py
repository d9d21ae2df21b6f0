"""A simulated day over the real desk, log, state and registry: everything that happens follows from a seed.

Nothing here stands for a part of the platform. Only the clock, the turns in which work is done and the faults of the
devices are simulated, so that whatever goes wrong goes wrong again from the same seed.
"""
