"""The kinds of models that a case can train, a file for each."""
