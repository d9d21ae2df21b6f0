"""MLflow, which mirrors runs, bundles and moves of a home; the home stays the source of truth.

`connection` reaches it, `entries` keeps things in order with exact facts, `tracker` and `registry` are what a home's
own look like there, `model` is the flavour a bundle loads as, `mirror` brings all of it up to date.
"""
