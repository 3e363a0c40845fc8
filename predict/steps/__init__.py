"""The step of a case under each family of schedules, from the costs of what it is made of."""
