"""The running workspace: its server, its teams, and what tests make people do."""
