"""The Web API: calls, their tokens, scopes and limits, and the methods."""
