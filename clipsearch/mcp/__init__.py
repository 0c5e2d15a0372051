"""A server of the Model Context Protocol: read-only tools with which assistants search images."""
