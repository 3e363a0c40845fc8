"""Numbers that follow from a model's layers as its job measured them."""
