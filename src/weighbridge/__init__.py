"""weighbridge: real-time risk scoring as one closed loop, from one declaration."""

__version__ = "0.1.0"
