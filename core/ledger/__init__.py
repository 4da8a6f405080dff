"""Every query and transaction of Digitline; takes and returns vocabulary, so that no SQL is written elsewhere."""
