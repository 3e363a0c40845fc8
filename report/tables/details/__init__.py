"""Tables behind the answers, for the appendix."""
