package trulioo_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
)

// printed has every exported struct type with something personal or secret in it.
var printed = []any{
	trulioo.APIError{}, trulioo.AuthError{}, trulioo.TransportError{}, trulioo.DecodeError{}, trulioo.WebhookError{}, trulioo.ExportError{}, trulioo.FileError{},
	trulioo.EndClient{}, trulioo.Profile{}, trulioo.Flow{}, trulioo.Field{}, trulioo.ServiceResult{}, trulioo.TransactionInfo{},
	trulioo.WatchlistResult{}, trulioo.WatchlistCounts{}, trulioo.WatchlistHit{}, trulioo.Screening{}, trulioo.Note{}, trulioo.Task{}, trulioo.Moment{},
	trulioo.Answer{}, trulioo.FileRef{}, trulioo.File{}, trulioo.SavedFile{}, trulioo.Event{}, trulioo.Page[trulioo.EndClient]{}, trulioo.ExportItem{}, trulioo.Cursor{},
	trulioo.ServiceDetails{}, trulioo.InputField{}, trulioo.ServiceRecord{}, trulioo.ServiceRule{}, trulioo.DatasourceResult{},
	trulioo.DatasourceField{}, trulioo.AppendedField{}, trulioo.ServiceError{}, trulioo.DatasourceError{},
	trulioo.Client{}, trulioo.ClientsService{}, trulioo.FilesService{}, trulioo.WorkflowsService{}, trulioo.WebhookHandler{},
}

// open are the types that hold settings of the caller's, counts and constant
// texts. A filter's flow id and a slice's times are the caller's own too.
var open = []string{
	"ArgumentError", "ClientFilter", "ClientListOptions", "Diagnosis", "Dialect", "ExportOptions", "ExportProgress", "ExportReport", "Finding", "GetOptions",
	"ListOptions", "MemoryDeduper", "MemoryTokenStore", "Outcome", "RetryPolicy", "ScreeningError", "Slice", "Step", "Time", "Workflow",
}

// fmt does not look for a pointer's methods where a value is printed, in a
// slice, a map or a struct least of all.
func TestTrap_printed_by_value(t *testing.T) {
	t.Parallel()
	looked := slices.Clone(open)
	for _, zero := range printed {
		kind := reflect.TypeOf(zero)
		name, _, _ := strings.Cut(kind.Name(), "[")
		looked = append(looked, name)
		pointer := reflect.New(kind)
		fillAll(pointer.Elem(), 0)
		value := pointer.Elem()
		if name != "WatchlistCounts" && !strings.HasSuffix(name, "Service") { // numbers, and a client
			assert.False(t, value.IsZero(), "%s was not filled: the test is blind", name)
		}
		slice := reflect.MakeSlice(reflect.SliceOf(kind), 1, 1)
		slice.Index(0).Set(value)
		byName := reflect.MakeMap(reflect.MapOf(reflect.TypeFor[string](), kind))
		byName.SetMapIndex(reflect.ValueOf("k"), value)
		array := reflect.New(reflect.ArrayOf(1, kind)).Elem()
		array.Index(0).Set(value)
		fields := []reflect.StructField{{Name: "Value", Type: kind}, {Name: "Pointer", Type: reflect.PointerTo(kind)}, {Name: "Slice", Type: slice.Type()}}
		holder := reflect.New(reflect.StructOf(fields)).Elem()
		holder.Field(0).Set(value)
		holder.Field(1).Set(pointer)
		holder.Field(2).Set(slice)
		forms := map[string]any{
			"value": value.Interface(), "pointer": pointer.Interface(), "slice": slice.Interface(), "map": byName.Interface(),
			"array": array.Interface(), "fields": holder.Interface(), "pointer to fields": holder.Addr().Interface(), "any": []any{value.Interface()},
		}
		for form, held := range forms {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
				assertNoCanary(t, fmt.Sprintf(verb, held), name+" "+form+" "+verb)
			}
		}
		for i, log := range handlers(nil) {
			assertNoCanary(t, log(value.Interface(), pointer.Interface()), fmt.Sprint(name, " slog ", i))
		}
		if err, ok := reflect.TypeAssert[error](pointer); ok {
			for form, held := range forms {
				encoded, failed := json.Marshal(held)
				require.NoError(t, failed, name)
				assertNoCanary(t, string(encoded), name+" "+form+" as JSON")
			}
			assertNoCanary(t, err.Error(), name)
		}
	}
	for _, name := range exportedTypes(t) {
		assert.Contains(t, looked, name, "a new type: does it hold something personal or secret?")
	}
}

// Embedded, the methods are promoted.
func TestEmbeddedPrintsNothing(t *testing.T) {
	t.Parallel()
	type profile struct {
		trulioo.Profile
		More int
	}
	type failure struct {
		trulioo.APIError
		More int
	}
	var p profile
	var f failure
	fillAll(reflect.ValueOf(&p.Profile).Elem(), 0)
	fillAll(reflect.ValueOf(&f.APIError).Elem(), 0)
	for _, held := range []any{p, &p, []profile{p}, map[string]profile{"k": p}, f, &f, []failure{f}, map[string]failure{"k": f}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			assertNoCanary(t, fmt.Sprintf(verb, held), fmt.Sprintf("%T %s", held, verb))
		}
	}
}

func assertNoCanary(t *testing.T, text, about string) {
	t.Helper()
	assert.NotContains(t, text, canary, about)
	assert.NotContains(t, text, fmt.Sprintf("%x", canary), about)
	assert.NotContains(t, text, strings.Trim(fmt.Sprint(string([]byte(canary))), "[]"), about)
}

// fillAll puts the canary into all strings, bytes and errors, unexported ones
// too, but for the constant words that an error's text is made of.
func fillAll(v reflect.Value, depth int) {
	if depth > 6 {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(canary)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[trulioo.Time]() || !strings.Contains(v.Type().PkgPath(), "trulioo") {
			return
		}
		for i := range v.NumField() {
			switch v.Type().Field(i).Name {
			case "Operation", "Where", "Reason", "Path", "Step", "PanicType", "page":
				continue
			}
			field := v.Field(i)
			fillAll(reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem(), depth+1) //nolint:gosec // unexported fields of the types under test
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(`"` + canary + `"`))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fillAll(v.Index(0), depth+1)
	case reflect.Map:
		element := reflect.New(v.Type().Elem()).Elem()
		fillAll(element, depth+1)
		v.Set(reflect.MakeMap(v.Type()))
		if v.Type().Key().Kind() == reflect.String {
			v.SetMapIndex(reflect.ValueOf(canary).Convert(v.Type().Key()), element)
		}
	case reflect.Pointer:
		if strings.Contains(v.Type().Elem().PkgPath(), "trulioo") && v.Type().Elem() != reflect.TypeFor[trulioo.Client]() {
			v.Set(reflect.New(v.Type().Elem()))
			fillAll(v.Elem(), depth+1)
		}
	case reflect.Interface:
		if v.Type() == reflect.TypeFor[error]() {
			v.Set(reflect.ValueOf(errors.New(canary)))
		}
	}
}

// What encodes with the vendor's names does so once.
func TestPagesFilesAndAnswersEncodeOnce(t *testing.T) {
	t.Parallel()
	for want, value := range map[string]any{
		`{"totalElements":1,"data":[{"id":"a"}],"x":2}`:                                                            trulioo.Page[trulioo.EndClient]{TotalElements: 9, Raw: []byte(`{"totalElements":1,"data":[{"id":"a"}],"x":2}`)},
		`{"totalElements":2,"totalPages":1,"number":0,"numberOfElements":0,"last":true,"first":false,"data":null}`: &trulioo.Page[trulioo.EndClient]{TotalElements: 2, TotalPages: 1, Last: true},
		`{"flowId":"f","field":"7","key":"k"}`:                                                                     trulioo.FileRef{FlowID: "f", Field: "7", Key: "k"},
	} {
		got, err := json.Marshal(value)
		require.NoError(t, err)
		assert.JSONEq(t, want, string(got))
	}
	got, err := json.Marshal(trulioo.Answer{FlowID: "f", Value: "Ada"})
	require.NoError(t, err)
	assert.Contains(t, string(got), `"flowId":"f"`)
	assert.NotContains(t, string(got), `"FlowID"`)
}
