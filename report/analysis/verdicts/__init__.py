"""Parts of a verdict: which measurements pair up, what disturbed them, and rough words."""
