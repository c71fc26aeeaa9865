// Package inbox holds two programs that use contrib/trusql: webhook, a durable receiver
// of events, and nightly, which brings a table of profiles up to date.
package inbox
