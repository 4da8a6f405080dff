"""What everybody speaks: vocabulary, errors, settings, queues, tables and the ledger."""
