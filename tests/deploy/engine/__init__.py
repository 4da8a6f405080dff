"""`make deploy-test`: docker-compose.yml on a real Docker engine, from bare images to an upgrade; needs root."""
