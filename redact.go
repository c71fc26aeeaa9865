package trulioo

import (
	"log/slog"

	"github.com/trulioo-go/trulioo/internal/redact"
)

// A type with personal data or a secret prints its name only, by value or by
// pointer, in fmt and in slog; the directive trulioo:redact beside the type
// generates its methods in redact_methods.go. A struct with such a type in an
// exported field prints it so too. encoding/json never redacts, and neither does
// slog's JSON handler for such a struct: RedactAttr covers that. An error shows its
// Error only, to encoders too. All methods are on values, since fmt does not look
// for a pointer's.

// RedactAttr is for slog.HandlerOptions.ReplaceAttr. It replaces each value
// that is one of this package's types with personal data or secrets, or that
// holds one in pointers, slices, maps, interfaces or struct fields, by the
// name of its type: needed for handlers that encode values as JSON, which
// never redacts. Errors are left, since handlers print their text. It cannot
// know strings and raw JSON that were taken out of such a value before.
func RedactAttr(_ []string, a slog.Attr) slog.Attr { return redact.Attr(a) }
