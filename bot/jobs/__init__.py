"""Durable work on DBOS, and the jobs that run by themselves: refresh, canary watch, retention."""
