"""The vocabulary of a study: grid, case, schedule, result. It imports no other part."""
