"""Results: read from a folder, combined over jobs, selected for the tables of a grid."""
