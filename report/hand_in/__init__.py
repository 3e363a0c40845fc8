"""The folder to hand in: one file of code, the report, the tables and the results."""
