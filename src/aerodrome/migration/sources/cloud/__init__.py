"""Object stores from which sources are read: S3 and Google Cloud Storage, in streams, with the right that each call needs."""
