"""Sizes of the layers of built-in models as closed forms, for a prediction before anything runs."""
