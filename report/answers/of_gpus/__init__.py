"""Answers on each GPU: its layers by the rule, its use, and its memory."""
