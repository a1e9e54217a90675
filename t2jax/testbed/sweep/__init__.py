"""The testbed's models: trained, measured and tabulated."""
