"""Fine-tuning on few encryptions after training on public images, and the attack on exactly these."""
