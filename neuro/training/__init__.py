"""What happens around a model: fitting, quantisation-aware training, measuring."""
