"""The vocabulary of a study: grid, case, result. Pure Python; imports nothing else of ours."""
