package trulioo

import (
	"fmt"
	"log/slog"

	"github.com/trulioo-go/trulioo/internal/redact"
)

// The types that hold personal data print their name only, passed by value or
// by pointer, in fmt and in slog. A struct with one of them in an exported
// field prints it so too; encoding/json never redacts, and so neither does
// slog's JSON handler for such a struct: RedactAttr covers that.

// Format prints the type's name only.
func (EndClient) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.EndClient") }

// LogValue is the type's name only.
func (EndClient) LogValue() slog.Value { return redact.Value("trulioo.EndClient") }

// Format prints the type's name only.
func (Profile) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.Profile") }

// LogValue is the type's name only.
func (Profile) LogValue() slog.Value { return redact.Value("trulioo.Profile") }

// Format prints the type's name only.
func (Flow) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.Flow") }

// LogValue is the type's name only.
func (Flow) LogValue() slog.Value { return redact.Value("trulioo.Flow") }

// Format prints the type's name only.
func (Field) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.Field") }

// LogValue is the type's name only.
func (Field) LogValue() slog.Value { return redact.Value("trulioo.Field") }

// Format prints the type's name only.
func (ServiceResult) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.ServiceResult") }

// LogValue is the type's name only.
func (ServiceResult) LogValue() slog.Value { return redact.Value("trulioo.ServiceResult") }

// Format prints the type's name only.
func (TransactionInfo) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.TransactionInfo") }

// LogValue is the type's name only.
func (TransactionInfo) LogValue() slog.Value { return redact.Value("trulioo.TransactionInfo") }

// Format prints the type's name only.
func (Note) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.Note") }

// LogValue is the type's name only.
func (Note) LogValue() slog.Value { return redact.Value("trulioo.Note") }

// Format prints the type's name only.
func (Task) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.Task") }

// LogValue is the type's name only.
func (Task) LogValue() slog.Value { return redact.Value("trulioo.Task") }

// Format prints the type's name only.
func (Answer) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.Answer") }

// LogValue is the type's name only.
func (Answer) LogValue() slog.Value { return redact.Value("trulioo.Answer") }

// Format prints the type's name only.
func (FileRef) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.FileRef") }

// LogValue is the type's name only.
func (FileRef) LogValue() slog.Value { return redact.Value("trulioo.FileRef") }

// Format prints the type's name only.
func (ServiceDetails) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.ServiceDetails") }

// LogValue is the type's name only.
func (ServiceDetails) LogValue() slog.Value { return redact.Value("trulioo.ServiceDetails") }

// Format prints the type's name only.
func (InputField) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.InputField") }

// LogValue is the type's name only.
func (InputField) LogValue() slog.Value { return redact.Value("trulioo.InputField") }

// Format prints the type's name only.
func (ServiceRecord) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.ServiceRecord") }

// LogValue is the type's name only.
func (ServiceRecord) LogValue() slog.Value { return redact.Value("trulioo.ServiceRecord") }

// Format prints the type's name only.
func (ServiceRule) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.ServiceRule") }

// LogValue is the type's name only.
func (ServiceRule) LogValue() slog.Value { return redact.Value("trulioo.ServiceRule") }

// Format prints the type's name only.
func (DatasourceResult) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.DatasourceResult") }

// LogValue is the type's name only.
func (DatasourceResult) LogValue() slog.Value { return redact.Value("trulioo.DatasourceResult") }

// Format prints the type's name only.
func (DatasourceField) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.DatasourceField") }

// LogValue is the type's name only.
func (DatasourceField) LogValue() slog.Value { return redact.Value("trulioo.DatasourceField") }

// Format prints the type's name only.
func (AppendedField) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.AppendedField") }

// LogValue is the type's name only.
func (AppendedField) LogValue() slog.Value { return redact.Value("trulioo.AppendedField") }

// Format prints the type's name only.
func (ServiceError) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.ServiceError") }

// LogValue is the type's name only.
func (ServiceError) LogValue() slog.Value { return redact.Value("trulioo.ServiceError") }

// Format prints the type's name only.
func (DatasourceError) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.DatasourceError") }

// LogValue is the type's name only.
func (DatasourceError) LogValue() slog.Value { return redact.Value("trulioo.DatasourceError") }

// RedactAttr is for slog.HandlerOptions.ReplaceAttr. It replaces each value
// that is one of this package's types with personal data or secrets, or that
// holds one in pointers, slices, maps, interfaces or struct fields, by the
// name of its type: needed for handlers that encode values as JSON, which
// never redacts. Errors are left, since handlers print their text. It cannot
// know strings and raw JSON that were taken out of such a value before.
func RedactAttr(_ []string, a slog.Attr) slog.Attr { return redact.Attr(a) }
