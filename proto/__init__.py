"""Our .proto files and the stubs generated from them. Must not hold logic."""
