"""The verbs of the command line, one a file: options as a frozen dataclass, the job as its `run`."""
