"""What people see: blocks, messages and phrases in their language."""
