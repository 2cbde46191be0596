"""What every room stands on: types, checks, devices, processes, files and fingerprints."""
