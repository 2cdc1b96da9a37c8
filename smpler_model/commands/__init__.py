"""The subcommands of the command line, one per module; each adds its parser and runs."""
