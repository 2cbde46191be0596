"""What lies in a file or folder of a camera: how many frames, when they were taken, and their samples as stored."""
