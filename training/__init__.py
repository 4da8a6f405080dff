"""From data to models: dataset, training, evaluation, comparison, tuning and plots."""
