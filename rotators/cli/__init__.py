"""The command line. Needs the extra ``cli``; the demo needs ``demo``."""
