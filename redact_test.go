package trulioo_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
)

const canary = "Zz-Canary-9"

// personal gives one value of each personal type with the canary in all its
// strings and bytes.
func personal(t *testing.T) []any {
	t.Helper()
	values := []any{
		trulioo.EndClient{}, trulioo.Profile{}, trulioo.Flow{}, trulioo.Field{}, trulioo.ServiceResult{}, trulioo.TransactionInfo{},
		trulioo.WatchlistResult{}, trulioo.WatchlistCounts{}, trulioo.Note{}, trulioo.Task{}, trulioo.Answer{}, trulioo.FileRef{},
		trulioo.WatchlistHit{}, trulioo.Screening{}, trulioo.ServiceDetails{}, trulioo.InputField{}, trulioo.ServiceRecord{}, trulioo.ServiceRule{},
		trulioo.DatasourceResult{}, trulioo.DatasourceField{}, trulioo.AppendedField{}, trulioo.ServiceError{}, trulioo.DatasourceError{},
	}
	for i, value := range values {
		filled := reflect.New(reflect.TypeOf(value))
		fill(filled.Elem())
		values[i] = filled.Interface()
	}
	return values
}

func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(canary)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[trulioo.Time]() {
			return
		}
		for _, field := range v.Fields() {
			fill(field)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(`"` + canary + `"`))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		element := reflect.New(v.Type().Elem()).Elem()
		fill(element)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf(canary), element)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	}
}

func TestFormattingRedacts(t *testing.T) {
	t.Parallel()
	for _, pointer := range personal(t) {
		value := reflect.ValueOf(pointer).Elem().Interface()
		require.Contains(t, fmt.Sprint(shown(value)), canary, "%T has nothing to hide: the test is blind", value)
		name := reflect.TypeOf(value).String() + "[redacted]"
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%q", "%x"} {
			assert.Equal(t, name, fmt.Sprintf(verb, value), verb)
			assert.Equal(t, name, fmt.Sprintf(verb, pointer), verb)
			holder := struct{ Value, Pointer any }{value, pointer}
			assert.NotContains(t, fmt.Sprintf(verb, holder), canary, verb)
		}
		none := reflect.Zero(reflect.TypeOf(pointer)).Interface()
		assert.Equal(t, "<nil>", fmt.Sprintf("%v", none))

		for _, handler := range handlers(nil) {
			logged := handler(value, pointer, none)
			assert.NotContains(t, logged, canary)
			assert.Contains(t, logged, name)
		}
	}
}

// shown is a value's strings in spite of Format.
func shown(value any) []string {
	var all []string
	for _, field := range reflect.ValueOf(value).Fields() {
		switch field.Kind() {
		case reflect.String:
			all = append(all, field.String())
		case reflect.Map:
			all = append(all, fmt.Sprint(field.MapKeys()))
		case reflect.Struct:
			if field.Type() != reflect.TypeFor[trulioo.Time]() {
				all = append(all, shown(field.Interface())...)
			}
		case reflect.Int64:
			all = append(all, canary) // counts are all that WatchlistCounts has
		}
	}
	return all
}

// handlers log values with slog's two handlers and give the output.
func handlers(replace func([]string, slog.Attr) slog.Attr) []func(...any) string {
	options := &slog.HandlerOptions{ReplaceAttr: replace}
	logWith := func(handler func(*bytes.Buffer) slog.Handler) func(...any) string {
		return func(values ...any) string {
			var out bytes.Buffer
			logger := slog.New(handler(&out))
			for _, value := range values {
				logger.Info("m", "plain", "kept", "value", value, slog.Group("g", slog.Any("value", value)))
			}
			return out.String()
		}
	}
	return []func(...any) string{
		logWith(func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, options) }),
		logWith(func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, options) }),
	}
}

type holder[T any] struct{ Held T }

type hiding struct{ held any }

type looped struct {
	Next *looped
	Any  any
}

// json.Marshal is the data path and never redacts, inside slog's JSON handler too:
// RedactAttr covers every value that holds a personal one.
func TestRedactAttr(t *testing.T) {
	t.Parallel()
	cycle := &looped{Any: "kept"}
	cycle.Next = cycle
	for _, p := range personal(t) {
		value := reflect.ValueOf(p).Elem().Interface()
		for _, held := range []any{
			value, p, &p, []any{1, value}, [1]any{p}, map[string]any{"k": p}, map[any]int{p: 1},
			holder[any]{value}, &holder[any]{&p}, hiding{value}, &hiding{value}, &looped{Next: cycle, Any: holder[any]{p}},
		} {
			for _, log := range handlers(trulioo.RedactAttr) {
				logged := log(held)
				assert.NotContains(t, logged, canary, "%T of %T", held, value)
				assert.Contains(t, logged, "[redacted]", "%T of %T", held, value)
				assert.Contains(t, logged, "kept")
			}
		}
	}
	profile := trulioo.Profile{ID: canary, Raw: []byte(`"` + canary + `"`)}
	for _, held := range []any{
		[]trulioo.Profile{profile}, map[string]*trulioo.Profile{"k": &profile}, holder[trulioo.Profile]{profile}, holder[*[]trulioo.Field]{},
		struct{ unexported trulioo.Profile }{profile}, holder[*trulioo.Profile]{},
	} {
		attr := trulioo.RedactAttr(nil, slog.Any("k", held))
		assert.Equal(t, "k", attr.Key)
		assert.Equal(t, reflect.TypeOf(held).String()+"[redacted]", attr.Value.String())
	}
}

func TestRedactAttrLeavesTheRest(t *testing.T) {
	t.Parallel()
	cycle := &looped{Any: []any{1, nil, "x"}}
	cycle.Next = cycle
	wrapped := fmt.Errorf("outer: %w", &trulioo.APIError{Operation: "get client", StatusCode: 404})
	for _, held := range []any{
		"x", 1, nil, trulioo.StatusAccepted, trulioo.Time{}, trulioo.Workflow{ID: "w"}, []string{"a"}, cycle, hiding{}, holder[any]{},
		errors.New("e"), wrapped, &trulioo.ArgumentError{Argument: "a", Reason: "r"}, slog.LevelInfo, func() {}, make(chan int),
	} {
		attr := slog.Any("k", held)
		assert.NotContains(t, fmt.Sprint(trulioo.RedactAttr(nil, attr).Value.Any()), "[redacted]", "%T", held)
	}
	assert.Equal(t, "outer: trulioo: get client: status 404 Not Found", trulioo.RedactAttr(nil, slog.Any("k", wrapped)).Value.Any().(error).Error())

	many := make([]any, 100_000)
	assert.Contains(t, trulioo.RedactAttr(nil, slog.Any("k", many)).Value.String(), "[redacted]", "too many to look at")
}
