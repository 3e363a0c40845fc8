"""How a power limit slows a GPU, by how much of the time just past it has computed."""
