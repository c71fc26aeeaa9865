// Package postgrestest starts a PostgreSQL of the machine for tests. It is
// there on Unix only.
package postgrestest
