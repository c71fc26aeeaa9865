package trulioo_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// mark is in everything secret or personal that these tests plant. Nothing that
// is logged, returned as an error or formatted may hold it, in any encoding.
const mark = "QuetzalMark"

// The planted secrets have the characters that real ones have.
const (
	markedID      = "id-" + mark + "+1"
	markedSecret  = mark + "#secret&+%~!= 14 bytes at least"
	markedToken   = mark + ".token"
	markedWebhook = mark + "-webhook, with a comma"
	markedClient  = "client " + mark + "/1?b#c ..%"
	markedEnd     = " +/" + mark // of every text that markAll marks
	markedMessage = `{"code":"` + mark + `","message":"` + mark + ` was not found","error_description":"` + mark + `"}`
)

var (
	markedKey   = base64.StdEncoding.EncodeToString([]byte("flow/client/element/" + mark + ".jpg"))
	markedPlace = "/" + mark + "?X-Signature=" + mark
)

// encodings are the forms in which mark could come out. Base64 has three, by
// the place in its groups of three bytes, each without the bits of its neighbours.
var encodings = func() []string {
	decimal := strings.Trim(fmt.Sprintf("%d", []byte(mark)), "[]")
	forms := []string{strings.ToLower(mark), hex.EncodeToString([]byte(mark)), decimal, strings.ReplaceAll(decimal, " ", ", ")}
	forms = append(forms, strings.Trim(fmt.Sprintf("%#v", []byte(mark)), "[]byte{}"))
	for shift := range 3 {
		text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(".", shift) + mark))
		forms = append(forms, strings.ToLower(text[4:len(text)-4]))
	}
	return forms
}()

func leaks(text string) bool {
	text = strings.ToLower(text)
	return slices.ContainsFunc(encodings, func(form string) bool { return strings.Contains(text, form) })
}

// assertHidden shows the lines that leak.
func assertHidden(t *testing.T, text string, what ...any) {
	t.Helper()
	for line := range strings.SplitSeq(text, "\n") {
		if leaks(line) {
			assert.Fail(t, "leaked: "+line, fmt.Sprint(what...))
			return
		}
	}
}

// canaryLog keeps everything that came out of the library, and where.
type canaryLog struct {
	mu  sync.Mutex
	out bytes.Buffer
}

// Write lets a logger write to the canaryLog.
func (l *canaryLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(p)
}

func (l *canaryLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.String()
}

// logger writes all levels with both of slog's handlers.
func (l *canaryLog) logger() *slog.Logger {
	options := &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: trulioo.RedactAttr}
	return slog.New(slog.NewMultiHandler(slog.NewTextHandler(l, options), slog.NewJSONHandler(l, options)))
}

// Start makes the canaryLog an Observer that formats all it sees.
func (l *canaryLog) Start(ctx context.Context, step trulioo.Step) (context.Context, func(trulioo.Outcome)) {
	_, _ = io.WriteString(l, exposed(step))
	return ctx, func(o trulioo.Outcome) {
		_, _ = io.WriteString(l, exposed(o)+exposed(&o))
		if o.Err != nil {
			_, _ = io.WriteString(l, exposedError(o.Err))
		}
	}
}

// exposed is all that fmt and slog make of a value, alone and inside of others.
func exposed(value any) string {
	var out canaryLog
	for _, verb := range []string{"%v\n", "%+v\n", "%#v\n", "%s\n", "%q\n", "%d\n", "%x\n", "%X\n", "%08.3f\n"} {
		fmt.Fprintf(&out, verb, value)
	}
	fmt.Fprintln(&out, value)
	for _, wrapped := range []any{struct{ Value any }{value}, []any{value}, map[string]any{"key": value}} {
		fmt.Fprintf(&out, "%v %+v %#v %s\n", wrapped, wrapped, wrapped, wrapped)
		out.logger().Info("message", "value", wrapped)
	}
	out.logger().Info("message", "value", value, slog.Group("group", slog.Any("value", value)))
	if _, ok := value.(slog.LogValuer); ok { // without RedactAttr too, where it is passed directly
		slog.New(slog.NewJSONHandler(&out, nil)).Info("message", "value", value)
	}
	return out.text()
}

// exposedError is exposed for an error and all that it wraps.
func exposedError(err error) string {
	text := fmt.Sprintf("%v %+v %v", err, err, fmt.Errorf("wrapped: %w", err)) + err.Error()
	if strings.HasPrefix(fmt.Sprintf("%T", err), "*trulioo.") {
		text += exposed(err)
	}
	switch e := err.(type) { //nolint:errorlint // the tree is walked by hand
	case *trulioo.WebhookError:
		return text // wraps the caller's own error, whatever that holds
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			text += exposedError(inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			text += exposedError(inner)
		}
	}
	return text
}

// harmless are the library's types in which nothing personal or secret can be,
// or only what the caller has put into a field of a foreign type.
var harmless = []string{
	"ListOptions", "ClientListOptions", "GetOptions", "RetryPolicy", "Step", "Outcome", "Time", "Workflow",
	"ClientsService", "FilesService", "WorkflowsService", "MemoryTokenStore", "MemoryDeduper",
	"Dialect", "Diagnosis", "Finding", "ClientFilter", "ExportOptions", "ExportProgress", "Slice", "Cursor", "APIError", "AuthError",
	"TransportError", "DecodeError", "ArgumentError", "ExportError", "WebhookError", "ScreeningError",
}

// visitor walks over results and formats each value of the library's own types.
type visitor struct {
	t       *testing.T
	visited map[string]bool
}

func (w *visitor) visit(v reflect.Value) {
	w.t.Helper()
	name, own := v.Type().Name(), v.Type().PkgPath() == reflect.TypeFor[trulioo.Client]().PkgPath()
	if own && v.Kind() == reflect.Struct {
		name, _, _ = strings.Cut(name, "[")
		w.visited[name] = true
		if _, hides := reflect.TypeAssert[fmt.Formatter](v); hides {
			assert.Implements(w.t, (*slog.LogValuer)(nil), v.Interface(), "fmt hides it and slog does not")
		}
		text := exposed(v.Interface())
		if v.CanAddr() {
			text += exposed(v.Addr().Interface())
		}
		assertHidden(w.t, text, name)
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			w.visit(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && own {
				w.visit(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			w.visit(v.Index(i))
		}
	case reflect.Map:
		for pairs := v.MapRange(); pairs.Next(); {
			w.visit(pairs.Value())
		}
	}
}

// markedProfile is the profile of testdata with the mark in every string that
// is somebody's, names of flows and fields included.
func markedProfile(t *testing.T) []byte {
	t.Helper()
	raw, err := os.ReadFile("testdata/profile.json")
	require.NoError(t, err)
	var profile any
	require.NoError(t, json.Unmarshal(raw, &profile))
	marked := markAll("", profile).(map[string]any)
	marked["id"] = markedClient
	flows := map[string]any{}
	for id, flow := range marked["flowData"].(map[string]any) {
		flows[mark+id] = flow
	}
	marked["flowData"] = flows
	body, err := json.Marshal(marked)
	require.NoError(t, err)
	return body
}

// markAll marks strings, but those of the vendor's open sets, which are no
// secret, and numbers in strings.
func markAll(name string, value any) any {
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			value[key] = markAll(key, inner)
		}
	case []any:
		for i, inner := range value {
			value[i] = markAll(name, inner)
		}
	case string:
		switch name {
		case "profileType", "status", "serviceStatus", "role", "nodeType", "Status", "RecordStatus", "FieldName":
			return value
		}
		var packed any
		if strings.HasPrefix(value, "{") && json.Unmarshal([]byte(value), &packed) == nil {
			text, _ := json.Marshal(markAll(name, packed))
			return string(text)
		}
		return value + markedEnd
	}
	return value
}

// marked makes a server with marked credentials and a marked client.
func markedServer(t *testing.T, opts ...truliootest.Option) *truliootest.Server {
	t.Helper()
	live := truliootest.NewAccount(truliootest.AccountSpec{})
	_, err := live.Put(markedProfile(t))
	require.NoError(t, err)
	return truliootest.NewServer(t, append([]truliootest.Option{
		truliootest.WithCredentials(markedID, markedSecret), truliootest.WithLive(live),
	}, opts...)...)
}

// watched are the options that let a canaryLog see all, with quick retries.
func watched(out *canaryLog) []trulioo.Option {
	return []trulioo.Option{
		trulioo.WithLogger(out.logger()), trulioo.WithObserver(out),
		trulioo.WithRetry(trulioo.RetryPolicy{MaxAttempts: 2, MinWait: 1, MaxWait: 1, MaxRetryAfter: 1}),
		trulioo.WithMaxResponseBytes(1 << 20),
	}
}

// markedFileKey is the key in testdata's profile as markAll leaves it.
var markedFileKey = func() string {
	raw, err := os.ReadFile("testdata/profile.json")
	if err != nil {
		panic(err)
	}
	var profile trulioo.Profile
	if err := json.Unmarshal(raw, &profile); err != nil {
		panic(err)
	}
	return profile.Files()[0].Key + markedEnd
}()

func TestCanaryIsSeen(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		mark, strings.ToUpper(mark), url.QueryEscape(markedSecret), markedKey, fmt.Sprintf("%x", mark), fmt.Sprintf("%X", mark),
		fmt.Sprintf("%d", []byte(mark)), fmt.Sprintf("%#v", struct{ A []byte }{[]byte(mark)}),
		base64.URLEncoding.EncodeToString([]byte("a" + mark)), base64.StdEncoding.EncodeToString([]byte("ab" + mark + "c")),
		exposed(struct{ S string }{mark}), exposed(&trulioo.Workflow{Name: mark}), exposedError(errors.New(mark)), exposedError(&trulioo.ArgumentError{Reason: mark}),
		exposedError(fmt.Errorf("a: %w", &url.Error{Op: "Get", URL: mark, Err: io.EOF})),
	} {
		assert.True(t, leaks(text), "the tests below are blind to %s", text)
	}
	assert.False(t, leaks(exposed(trulioo.Step{})))
}

// Success: every value that the library hands out hides its contents.
func TestCanaryOnSuccess(t *testing.T) {
	t.Parallel()
	seen := &visitor{t: t, visited: map[string]bool{}}
	var out canaryLog
	for _, version := range []trulioo.APIVersion{trulioo.V1, trulioo.V2} {
		srv := markedServer(t, truliootest.WithFiles(truliootest.Files{Disposition: `attachment; filename="` + mark + `.jpg"`, Redirect: true}))
		options := srv.Options()
		if version == trulioo.V1 {
			options = srv.OptionsV1()
		}
		client, err := trulioo.NewClient(append(options, watched(&out)...)...)
		require.NoError(t, err)
		for op, calls := range everyCall(t, client) {
			for i, call := range calls {
				value, err := call(t.Context())
				require.NoError(t, err, "%s %d", op, i)
				require.NotNil(t, value)
				seen.visit(reflect.ValueOf(value))
				if profile, ok := value.(*trulioo.Profile); ok {
					answer(t, seen, profile)
				}
			}
		}
		for _, part := range []any{client, *client, client.Clients, client.Files, client.Workflows, *client.Clients, client.ForEvent(nil)} {
			assertHidden(t, exposed(part), fmt.Sprintf("%T", part))
		}
		for _, r := range srv.Requests() {
			token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			if token != "" {
				assert.NotContains(t, out.text(), token)
			}
		}
	}
	events(t, seen)
	seen.visit(reflect.ValueOf(&trulioo.FileError{Ref: trulioo.FileRef{Key: mark}}))
	assert.NotEmpty(t, out.text())
	assertHidden(t, out.text(), "the log or the observer")

	for _, name := range exportedTypes(t) {
		if !slices.Contains(harmless, name) && name != "Client" && name != "WebhookHandler" && !strings.HasPrefix(name, "Export") {
			assert.True(t, seen.visited[name], "no value of %s was looked at: everyCall must return one, and truliootest answer with one for a client of Put; only if nothing in it is personal, say so in harmless", name)
		}
	}
}

// answer asks a profile all its questions.
func answer(t *testing.T, seen *visitor, profile *trulioo.Profile) {
	t.Helper()
	require.Contains(t, string(profile.Raw), mark)
	answers := profile.Values(trulioo.RoleFirstName)
	require.NotEmpty(t, answers)
	seen.visit(reflect.ValueOf(answers))
	seen.visit(reflect.ValueOf(profile.Files()))
	seen.visit(reflect.ValueOf(profile.Timeline()))
	services := profile.Services()
	require.NotEmpty(t, services)
	seen.visit(reflect.ValueOf(services))
	hits, err := profile.WatchlistHits()
	if err != nil {
		assertHidden(t, exposedError(err))
	}
	seen.visit(reflect.ValueOf(hits))
	screenings := profile.Screenings()
	seen.visit(reflect.ValueOf(screenings))
	seen.visit(reflect.ValueOf(profile.Checks()))
	for _, screening := range screenings {
		assertHidden(t, screening.Why, "why")
		for _, hit := range screening.Hits {
			assertHidden(t, fmt.Sprint(hit), "the hit")
		}
	}
	for _, service := range services {
		details, err := service.Details()
		if err != nil {
			assertHidden(t, exposedError(err))
			continue
		}
		seen.visit(reflect.ValueOf(details))
		seen.visit(reflect.ValueOf(details.DatasourceErrors()))
	}
}

const markedEvent = `{"id":"` + mark + `","token":"` + markedWebhook + `","type":"EVENT_CALLBACK","event":{"type":"FLOW_END","ts":1,"user":"` + mark +
	`"},"flowId":"` + mark + `","nodeId":"` + mark + `","userId":"` + mark + `","test":true,"serviceData":{"nodeTitle":"` + mark + `"},"x":"` + mark + `"}`

func events(t *testing.T, seen *visitor) {
	t.Helper()
	event, err := trulioo.ParseEvent([]byte(markedEvent))
	require.NoError(t, err)
	assert.Equal(t, mark, event.ClientID)
	seen.visit(reflect.ValueOf(event))
}

// exportedTypes are the exported structs of the package, from its source.
func exportedTypes(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, file := range parsedSources(t) {
		for _, decl := range file.Decls {
			general, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range general.Specs {
				if named, ok := spec.(*ast.TypeSpec); ok && named.Name.IsExported() {
					if _, ok := named.Type.(*ast.StructType); ok {
						names = append(names, named.Name.Name)
					}
				}
			}
		}
	}
	require.Greater(t, len(names), 30)
	return names
}

func parsedSources(t *testing.T) []*ast.File {
	t.Helper()
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		files = append(files, file)
	}
	return files
}

// Options and errors of options show no value.
func TestCanaryInOptions(t *testing.T) {
	t.Parallel()
	var out canaryLog
	source := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: markedToken})
	options := map[string]any{
		"WithCredentials": trulioo.WithCredentials(markedID, markedSecret), "WithTokenSource": trulioo.WithTokenSource(source),
		"WithTokenStore": trulioo.WithTokenStore(trulioo.NewMemoryTokenStore()), "WithEnvironment": trulioo.WithEnvironment(mark),
		"WithAPIVersion": trulioo.WithAPIVersion(mark), "WithBaseURL": trulioo.WithBaseURL(mark), "WithTokenURL": trulioo.WithTokenURL(mark),
		"WithScope": trulioo.WithScope(mark), "WithHTTPClient": trulioo.WithHTTPClient(&http.Client{}), "WithRetry": trulioo.WithRetry(trulioo.RetryPolicy{}),
		"WithRateLimit": trulioo.WithRateLimit(math.NaN(), 1), "WithLogger": trulioo.WithLogger(out.logger()), "WithObserver": trulioo.WithObserver(&out),
		"WithAudience": trulioo.WithAudience(mark), "WithApplication": trulioo.WithApplication(mark+"\n", mark), "WithDialect": trulioo.WithDialect(trulioo.Dialect{WorkflowsPath: "?" + mark}), "WithUserAgent": trulioo.WithUserAgent(mark + "\n"), "WithMaxResponseBytes": trulioo.WithMaxResponseBytes(-1), "WithInsecureHTTP": trulioo.WithInsecureHTTP(),
		"WithOpenEndedFiles":    trulioo.WithOpenEndedFiles(),
		"WithVerificationToken": trulioo.WithVerificationToken(markedWebhook), "WithSigningSecret": trulioo.WithSigningSecret(markedWebhook),
		"WithInsecureNoVerification": trulioo.WithInsecureNoVerification(), "WithDeduper": trulioo.WithDeduper(trulioo.NewMemoryDeduper(1, 1)),
		"WithMaxBodyBytes": trulioo.WithMaxBodyBytes(-1), "WithMaxAge": trulioo.WithMaxAge(-1), "WithHandlerName": trulioo.WithHandlerName(mark), "WithHandlerTimeout": trulioo.WithHandlerTimeout(-1), "WithWebhookLogger": trulioo.WithWebhookLogger(out.logger()),
		"WithWebhookObserver": trulioo.WithWebhookObserver(&out), "WithErrorHook": trulioo.WithErrorHook(func(context.Context, error) {}),
	}
	for _, file := range parsedSources(t) {
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "With") {
				assert.Contains(t, options, f.Name.Name, "an option that was not looked at")
			}
		}
	}
	for name, option := range options {
		assertHidden(t, exposed(option), name)
	}
	refused := func(opts ...trulioo.Option) {
		t.Helper()
		client, err := trulioo.NewClient(append([]trulioo.Option{trulioo.WithCredentials(markedID, markedSecret)}, opts...)...)
		require.Nil(t, client)
		var wrong *trulioo.ArgumentError
		require.ErrorAs(t, err, &wrong)
		assertHidden(t, exposedError(err))
	}
	for _, address := range []string{
		mark, "ftp://" + mark, "https://", "https://user:" + mark + "@host", "https://host/#" + mark,
		"http://" + mark + ".example", "://" + mark, "https://" + mark + "%zz", "https://host:" + mark, "https://[" + mark,
	} {
		refused(trulioo.WithBaseURL(address))
		refused(trulioo.WithTokenURL(address))
	}
	refused(trulioo.WithBaseURL("https://host/?" + mark))
	for _, option := range []string{"WithApplication", "WithEnvironment", "WithAPIVersion", "WithUserAgent", "WithMaxResponseBytes", "WithRateLimit", "WithTokenSource"} {
		refused(options[option].(trulioo.Option))
	}
}

func TestCanaryInTheEnvironment(t *testing.T) {
	for variable, value := range map[string]string{
		"TRULIOO_CLIENT_SECRET": markedSecret + "\n", "TRULIOO_CLIENT_ID": " " + markedID, "TRULIOO_ENVIRONMENT": mark, "TRULIOO_API_VERSION": mark,
		"TRULIOO_BASE_URL": "https://user:" + mark + "@host", "TRULIOO_TOKEN_URL": "://" + mark, "TRULIOO_INSECURE_HTTP": mark,
		"TRULIOO_WEBHOOK_TOKEN": mark + " ", "TRULIOO_WEBHOOK_SECRET": mark + "\t",
		"TRULIOO_WEBHOOK_TOKEN_PREVIOUS": mark, "TRULIOO_WEBHOOK_SECRET_PREVIOUS": mark,
	} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv("TRULIOO_CLIENT_ID", markedID)
			t.Setenv("TRULIOO_CLIENT_SECRET", markedSecret)
			t.Setenv(variable, value)
			var wrong *trulioo.ArgumentError
			_, err := trulioo.NewClientFromEnv()
			if strings.Contains(variable, "WEBHOOK") {
				_, err = trulioo.NewWebhookHandlerFromEnv(func(context.Context, *trulioo.Event) error { return nil })
			}
			require.ErrorAs(t, err, &wrong)
			assert.Contains(t, wrong.Argument, variable)
			assertHidden(t, exposedError(err))
		})
	}
}
