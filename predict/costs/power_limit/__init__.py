"""Slowing of a GPU by its power limit, by how much of the time just past it has computed."""
