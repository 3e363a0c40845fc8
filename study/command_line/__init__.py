"""The command lines of the programs: errors of one line, and an option for every key."""
