package trulioo_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/trulioo-go/trulioo"
)

// open are the types that print their contents: settings of the caller's, counts and
// constant texts. A filter's flow id and a slice's times are the caller's own too.
var open = []string{
	"ArgumentError", "ClientFilter", "ClientListOptions", "Diagnosis", "Dialect", "ExportOptions", "ExportProgress", "ExportReport", "Finding", "GetOptions",
	"ListOptions", "MemoryDeduper", "MemoryTokenStore", "Outcome", "RetryPolicy", "ScreeningError", "Slice", "Step", "Time", "Workflow",
}

// fmt does not look for a pointer's methods where a value is printed, in a
// slice, a map or a struct least of all.
func TestTrap_printed_by_value(t *testing.T) {
	t.Parallel()
	looked := slices.Clone(open)
	for _, zero := range redacted {
		kind := reflect.TypeOf(zero).Field(0).Type
		name, _, _ := strings.Cut(kind.Name(), "[")
		if slices.Contains(open, name) {
			continue
		}
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
		embedded := reflect.New(reflect.TypeOf(zero))
		embedded.Elem().Field(0).Set(value)
		unexported := withPointer(pointer)
		forms := map[string]any{
			"embedded": embedded.Elem().Interface(), "pointer to embedded": embedded.Interface(), "slice of embedded": []any{embedded.Elem().Interface()},
			"value": value.Interface(), "pointer": pointer.Interface(), "slice": slice.Interface(), "map": byName.Interface(),
			"array": array.Interface(), "fields": holder.Interface(), "pointer to fields": holder.Addr().Interface(), "any": []any{value.Interface()},
		}
		for form, held := range forms {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
				assertNoCanary(t, fmt.Sprintf(verb, held), name+" "+form+" "+verb)
			}
		}
		for _, verb := range []string{"%v", "%+v", "%#v"} { // the others follow a pointer; see SECURITY.md
			assertNoCanary(t, fmt.Sprintf(verb, unexported), name+" pointer in an unexported field "+verb)
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
		assert.Contains(t, looked, name, "a new type. Where it holds something personal or secret it needs the directive %s and make golden; else it belongs to open", redactDirective)
	}
}

// withPointer is a struct with a pointer in an unexported field. fmt calls no method of the
// value in such a field.
func withPointer(pointer reflect.Value) any {
	fields := []reflect.StructField{{Name: "hidden", PkgPath: "example.com/a", Type: pointer.Type()}}
	holder := reflect.New(reflect.StructOf(fields)).Elem()
	field := holder.Field(0)
	reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem().Set(pointer) //nolint:gosec // what an assignment in that package does
	return holder.Interface()
}

// Credentials are behind a pointer of their own, where fmt does not follow: they
// stay hidden in an unexported field too, by value and whatever the verb.
func TestTrap_secrets_in_unexported_fields(t *testing.T) {
	t.Parallel()
	const secret = "a-secret-of-the-caller"
	client, err := trulioo.NewClient(trulioo.WithCredentials("id", secret))
	require.NoError(t, err)
	handler, err := trulioo.NewWebhookHandler(func(context.Context, *trulioo.Event) error { return nil },
		trulioo.WithSigningSecret(secret), trulioo.WithVerificationToken(secret))
	require.NoError(t, err)
	store := trulioo.NewMemoryTokenStore()
	_, err = store.Token(t.Context(), "key", "", func(context.Context) (*oauth2.Token, error) {
		return &oauth2.Token{AccessToken: secret, Expiry: time.Now().Add(time.Hour)}, nil
	})
	require.NoError(t, err)
	type hidden struct {
		client  *trulioo.Client
		value   trulioo.Client
		service *trulioo.ClientsService
		files   trulioo.FilesService
		handler *trulioo.WebhookHandler
		other   trulioo.WebhookHandler
		store   *trulioo.MemoryTokenStore
		options []trulioo.Option
		webhook []trulioo.WebhookOption
	}
	held := hidden{
		client, *client, client.Clients, *client.Files, handler, *handler, store,
		[]trulioo.Option{trulioo.WithCredentials("id", secret)}, []trulioo.WebhookOption{trulioo.WithSigningSecret(secret)},
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%e"} {
		for _, value := range []any{held, &held, []hidden{held}, map[string]*hidden{"k": &held}} {
			text := fmt.Sprintf(verb, value)
			assert.NotContains(t, text, secret, verb)
			assert.NotContains(t, strings.ToLower(text), fmt.Sprintf("%x", secret), verb)
			assert.NotContains(t, text, strings.Trim(fmt.Sprintf("%d", []byte(secret)), "[]"), verb)
		}
	}
}

func assertNoCanary(t *testing.T, text, about string) {
	t.Helper()
	assert.NotContains(t, text, canary, about)
	assert.NotContains(t, text, fmt.Sprintf("%x", canary), about)
	assert.NotContains(t, text, strings.Trim(fmt.Sprintf("%d", []byte(canary)), "[]"), about)
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

// Values that encode with the vendor's names have each name once.
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
	got, err := json.Marshal(trulioo.Answer{FlowID: "f", Field: trulioo.Field{ID: "7", Name: "First name", Value: []string{"Ada"}, Role: trulioo.RoleFirstName}, Value: "Ada"})
	require.NoError(t, err)
	assert.JSONEq(t, `{"flowId":"f","field":{"id":"7","name":"First name","value":["Ada"],"role":"first_name","normalizedName":""},"value":"Ada"}`, string(got))
}
