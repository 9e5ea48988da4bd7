"""The example apps, run as their users run them."""
