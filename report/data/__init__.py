"""Results selected for the tables of a grid."""
