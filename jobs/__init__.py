"""Jobs: plan and submit cases, watch and cancel them, and run one inside of its job."""
