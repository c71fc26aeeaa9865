// Package inbox is two programs on contrib/trusql: webhook, a durable receiver of
// events, and nightly, a table of profiles that is brought up to date.
package inbox
