"""A look at a model before any of its cases is submitted: layers, cuts, memory, refusals."""
