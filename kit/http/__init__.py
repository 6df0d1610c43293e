"""The small HTTP server and client. Must not know what is served."""
