"""The vocabulary of a study: grid, case, result, statistics. Imports nothing else of ours."""
