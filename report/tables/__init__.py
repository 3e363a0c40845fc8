"""Tables: a main one with a row for each case, and details behind the answers."""
