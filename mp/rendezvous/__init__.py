"""The meeting of ranks, their proof of the secret, and the store that they share."""
