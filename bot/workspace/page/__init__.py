"""The pages people see in a browser; what is served as it is lies in assets/."""
