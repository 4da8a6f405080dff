"""From pixels to predictions: read, prepare and score images of digits; no Celery, no SQL."""
