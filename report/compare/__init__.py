"""Two sets of results, case by case."""
