// Package redact prints a type's name in place of its contents, so that no
// secret and nothing personal reaches a log by way of a formatted value.
package redact

import (
	"fmt"
	"io"
	"log/slog"
)

// Format writes name in place of the value, whatever the verb and flags, for a Format
// method. A String method would not be enough, since %d and %#v do not call it.
func Format(state fmt.State, name string) {
	_, _ = io.WriteString(state, text(name))
}

// Value is the same for a LogValue method.
func Value(name string) slog.Value {
	return slog.StringValue(text(name))
}

func text(name string) string { return name + "[redacted]" }
