"""What gets block tasks done, here or on other machines."""
