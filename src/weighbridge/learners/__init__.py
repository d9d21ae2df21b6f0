"""One model family a file: from model inputs to a `Forest` or a `Linear`, bit-repeatable for a seed."""
