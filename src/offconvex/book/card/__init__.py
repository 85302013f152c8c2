"""What is measured on a graphics card, within a budget of seconds, part by part."""
