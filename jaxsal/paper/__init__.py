"""The study by Bayer et al. as one run: six networks, every table, its conclusions one by one."""
