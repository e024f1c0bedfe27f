"""Watching a network from outside: monitor, alarms, evidence of forks, verification."""
