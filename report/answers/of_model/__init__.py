"""Answers on a model of one's own: where it fits, what pays, which schedule, balance, losses."""
