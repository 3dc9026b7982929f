"""What was asked, answered and thought of it, kept through SQLAlchemy."""
