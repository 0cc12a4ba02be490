"""`vitron bench soak`: minutes of trouble, and what holds."""
