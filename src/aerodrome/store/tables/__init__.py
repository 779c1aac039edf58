"""One file per noun; every table of the platform is defined here and nowhere else."""
