"""The HTTP door: raw events in, decisions out; labels by the same door. Errors are RFC 9457 problem+json."""
