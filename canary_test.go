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
	"log"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

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
	markedClient  = "client " + mark + "/1"
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

// canaryLog keeps what came out of the library, and where.
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

// exposedError is that of an error and of all that it wraps.
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
	"ClientFilter", "ExportOptions", "ExportProgress", "Slice", "Cursor", "APIError", "AuthError",
	"TransportError", "DecodeError", "ArgumentError", "ExportError", "WebhookError",
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
		return value + " " + mark
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

// canaryCalls is every call of the API, with marked arguments.
func canaryCalls(client *trulioo.Client) map[truliootest.Operation][]func(context.Context) (any, error) {
	calls := map[truliootest.Operation][]func(context.Context) (any, error){
		truliootest.ListWorkflows: {
			func(ctx context.Context) (any, error) { return some(client.Workflows.List(ctx, nil)) },
			func(ctx context.Context) (any, error) { return collect(client.Workflows.All(ctx, nil)) },
		},
		truliootest.ListClients: {
			func(ctx context.Context) (any, error) {
				return some(client.Clients.List(ctx, &trulioo.ClientListOptions{}))
			},
			func(ctx context.Context) (any, error) { return collect(client.Clients.All(ctx, nil)) },
			func(ctx context.Context) (any, error) {
				raw, err := client.GetJSON(ctx, "query/clients", url.Values{"limit": {"50"}, "x": {mark}})
				return len(raw), err
			},
		},
		truliootest.GetClient: {
			func(ctx context.Context) (any, error) { return some(client.Clients.Get(ctx, markedClient, nil)) },
			func(ctx context.Context) (any, error) {
				return some(client.Clients.Get(ctx, markedClient, &trulioo.GetOptions{FullServiceDetails: true}))
			},
		},
		truliootest.DownloadFile: {
			func(ctx context.Context) (any, error) { return download(ctx, client, markedFileKey) },
			func(ctx context.Context) (any, error) { return client.Files.Save(ctx, markedFileKey, io.Discard) },
		},
	}
	return calls
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
	return profile.Files()[0].Key + " " + mark
}()

// some keeps a nil pointer from becoming a value that is not nil.
func some[T any](value *T, err error) (any, error) {
	if value == nil {
		return nil, err
	}
	return value, err
}

func collect[T any](rows func(func(*T, error) bool)) (any, error) {
	var all []*T
	for row, err := range rows {
		if err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, nil
}

func download(ctx context.Context, client *trulioo.Client, key string) (any, error) {
	file, err := client.Files.Download(ctx, key)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Body.Close() }()
	_, err = io.Copy(io.Discard, file.Body)
	return file, err
}

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

// Success: whatever the library hands out hides what is in it.
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
		for op, calls := range canaryCalls(client) {
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
	assert.NotEmpty(t, out.text())
	assertHidden(t, out.text(), "the log or the observer")

	for _, name := range exportedTypes(t) {
		if !slices.Contains(harmless, name) && name != "Client" && name != "WebhookHandler" && !strings.HasPrefix(name, "Export") {
			assert.True(t, seen.visited[name], "no value of %s was looked at; if nothing in it is personal, say so in harmless", name)
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
	services := profile.Services()
	require.NotEmpty(t, services)
	seen.visit(reflect.ValueOf(services))
	hits, err := profile.WatchlistHits()
	if err != nil {
		assertHidden(t, exposedError(err))
	}
	seen.visit(reflect.ValueOf(hits))
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

// Options and errors of options: the value of none is told.
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
		"WithUserAgent": trulioo.WithUserAgent(mark + "\n"), "WithMaxResponseBytes": trulioo.WithMaxResponseBytes(-1), "WithInsecureHTTP": trulioo.WithInsecureHTTP(),
		"WithVerificationToken": trulioo.WithVerificationToken(markedWebhook), "WithSigningSecret": trulioo.WithSigningSecret(markedWebhook),
		"WithInsecureNoVerification": trulioo.WithInsecureNoVerification(), "WithDeduper": trulioo.WithDeduper(trulioo.NewMemoryDeduper(1, 1)),
		"WithMaxBodyBytes": trulioo.WithMaxBodyBytes(-1), "WithHandlerTimeout": trulioo.WithHandlerTimeout(-1), "WithWebhookLogger": trulioo.WithWebhookLogger(out.logger()),
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
		mark, "ftp://" + mark, "https://", "https://user:" + mark + "@host", "https://host/?" + mark, "https://host/#" + mark,
		"http://" + mark + ".example", "://" + mark, "https://" + mark + "%zz", "https://host:" + mark, "https://[" + mark,
	} {
		refused(trulioo.WithBaseURL(address))
		refused(trulioo.WithTokenURL(address))
	}
	for _, option := range []string{"WithEnvironment", "WithAPIVersion", "WithUserAgent", "WithMaxResponseBytes", "WithRateLimit", "WithTokenSource"} {
		refused(options[option].(trulioo.Option))
	}
}

func TestCanaryInTheEnvironment(t *testing.T) {
	for variable, value := range map[string]string{
		"TRULIOO_CLIENT_SECRET": markedSecret + "\n", "TRULIOO_CLIENT_ID": " " + markedID, "TRULIOO_ENVIRONMENT": mark, "TRULIOO_API_VERSION": mark,
		"TRULIOO_BASE_URL": "https://user:" + mark + "@host", "TRULIOO_TOKEN_URL": "://" + mark,
		"TRULIOO_WEBHOOK_TOKEN": mark + ",,", "TRULIOO_WEBHOOK_SECRET": mark + "\t",
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

// effects are the ways in which a server can fail, with the mark in all it says.
func effects() map[string]truliootest.Effect {
	all := map[string]truliootest.Effect{
		"reset": truliootest.Reset(), "cut": truliootest.Cut(5), "cut chunked": truliootest.CutChunked(5), "reset inside": truliootest.ResetAfter(5),
		"malformed":           truliootest.Answer(200, `{"id":"`+mark+`","`+mark+`":`+mark+`}`),
		"truncated":           truliootest.Answer(200, `{"`+mark+`":"`+mark),
		"not JSON":            truliootest.Answer(200, "<html>"+mark),
		"a string":            truliootest.Answer(200, `"`+mark+`"`),
		"null":                truliootest.Answer(200, "null"),
		"rows that are none":  truliootest.Answer(200, `{"totalElements":"`+mark+`","data":[{"id":"a"},"`+mark+`"]}`),
		"two values":          truliootest.Answer(200, `{} "`+mark+`"`),
		"too large":           truliootest.GzipBomb(8 << 20),
		"not gzip":            truliootest.Answer(200, mark).Header("Content-Encoding", "gzip"),
		"redirect":            truliootest.Redirect(302, "http://localhost:1"+markedPlace),
		"redirect down":       truliootest.Redirect(307, "ftp://localhost:1"+markedPlace),
		"redirect to nowhere": truliootest.Redirect(302, "http://["+mark+"\x01"),
		"redirect, no place":  truliootest.Redirect(302, ""),
		"wait too long":       truliootest.Answer(429, markedMessage).RetryAfter("99999999999999999999"),
		"wait for nonsense":   truliootest.Answer(503, markedMessage).RetryAfter(mark),
		"HTML":                truliootest.Answer(502, "<html><title>"+mark+"</title>"),
		"not found by code":   truliootest.Answer(400, `{"error":{"code":"4100","message":"`+mark+`"}}`),
	}
	for _, status := range []int{400, 401, 403, 404, 408, 409, 413, 415, 429, 500, 501, 502, 503, 504} {
		all["status "+strconv.Itoa(status)] = truliootest.Answer(status, markedMessage)
	}
	return all
}

// Failure: every way to fail, for every call and both token endpoints. The test
// is not parallel, since it takes over the default logger.
func TestCanaryOnFailure(t *testing.T) {
	var stray canaryLog
	log.SetOutput(&stray)
	defer log.SetOutput(log.Default().Writer())
	t.Run("all", func(t *testing.T) {
		for name, effect := range effects() {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				failing(t, effect)
			})
		}
	})
	log.SetOutput(io.Discard)
	assertHidden(t, stray.text())
}

func failing(t *testing.T, effect truliootest.Effect) {
	t.Helper()
	var out canaryLog
	srv := markedServer(t)
	client := srv.Client(watched(&out)...)
	for op, calls := range canaryCalls(client) {
		srv.Heal()
		srv.Fail(op, effect)
		for i, call := range calls {
			value, err := call(t.Context())
			if err == nil { // such as a file that holds anything, or a list without data
				if op != truliootest.DownloadFile {
					assertHidden(t, exposed(value), op, i)
				}
				continue
			}
			assertKnown(t, err)
			assertHidden(t, exposedError(err), op, i)
		}
	}
	srv.Heal()
	srv.Fail(truliootest.FetchToken, effect)
	for _, options := range [][]trulioo.Option{srv.Options(), srv.OptionsV1()} {
		cold, err := trulioo.NewClient(append(options, watched(&out)...)...)
		require.NoError(t, err)
		_, err = cold.Clients.Get(t.Context(), markedClient, nil)
		var auth *trulioo.AuthError
		require.ErrorAs(t, err, &auth)
		assertHidden(t, exposedError(err), "token")
	}
	assert.NotEmpty(t, out.text())
	assertHidden(t, out.text(), "the log or the observer")
}

// assertKnown demands one of the library's own errors.
func assertKnown(t *testing.T, err error) {
	t.Helper()
	switch err.(type) { //nolint:errorlint // it must be the outermost
	case *trulioo.APIError, *trulioo.AuthError, *trulioo.TransportError, *trulioo.DecodeError, *trulioo.ArgumentError:
	default:
		assert.Fail(t, "an error of a foreign type", "%T", err)
	}
}

// Below HTTP: the address, the certificate, the wire, the caller's own parts.
func TestCanaryOnTheWay(t *testing.T) {
	t.Parallel()
	quiet := log.New(io.Discard, "", 0)
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = quiet
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, mark, http.StatusProxyAuthRequired)
	}))
	t.Cleanup(proxy.Close)
	raw := func(answer string) string { return rawServer(t, answer) }
	failing := func(err error) http.RoundTripper {
		return roundTrip(func(*http.Request) (*http.Response, error) { return nil, err })
	}
	proxied := func(address string) http.RoundTripper {
		u, err := url.Parse(address)
		require.NoError(t, err)
		u.User = url.UserPassword(mark, mark)
		return &http.Transport{Proxy: http.ProxyURL(u)}
	}
	nameless := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New(mark) }}
	for name, c := range map[string]struct {
		base      string
		transport http.RoundTripper
	}{
		"refused":                       {base: "http://127.0.0.1:1"},
		"refused over TLS":              {base: "https://127.0.0.1:1"},
		"the name does not resolve":     {base: "https://api.invalid", transport: &http.Transport{DialContext: (&net.Dialer{Resolver: nameless}).DialContext}},
		"not trusted":                   {base: untrusted.URL},
		"no TLS":                        {base: strings.Replace(plain.URL, "http:", "https:", 1)},
		"proxy refuses":                 {base: "https://api.invalid", transport: proxied(proxy.URL)},
		"proxy is not there":            {base: "https://api.invalid", transport: proxied("http://127.0.0.1:1")},
		"garbage":                       {base: raw(mark + " garbage\r\n\r\n")},
		"a header that is none":         {base: raw("HTTP/1.1 200 OK\r\n" + mark + "\r\n\r\n")},
		"a length that is none":         {base: raw("HTTP/1.1 200 OK\r\nContent-Length: " + mark + "\r\n\r\n")},
		"a chunk that is none":          {base: raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + mark + "\r\n")},
		"an unknown encoding":           {base: raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: " + mark + "\r\n\r\n")},
		"a status that is none":         {base: raw("HTTP/1.1 " + mark + "\r\n\r\n")},
		"a reason":                      {base: raw("HTTP/1.1 418 " + mark + "\r\nX-Request-Id: " + strings.Repeat("a", 200) + "\r\nContent-Length: 0\r\n\r\n")},
		"nothing":                       {base: raw("")},
		"the caller's transport":        {base: "https://api.invalid", transport: failing(errors.New(mark))},
		"the caller's URL error":        {base: "https://api.invalid", transport: failing(&url.Error{Op: mark, URL: mark, Err: io.ErrUnexpectedEOF})},
		"the caller's operation error":  {base: "https://api.invalid", transport: failing(&net.OpError{Op: "dial", Net: "tcp", Err: errors.New(mark)})},
		"the caller's resolution error": {base: "https://api.invalid", transport: failing(fmt.Errorf("%s: %w", mark, context.DeadlineExceeded))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			transport := c.transport
			if transport == nil {
				transport = &http.Transport{}
			}
			for _, credentials := range [][]trulioo.Option{
				{trulioo.WithCredentials(markedID, markedSecret), trulioo.WithAPIVersion(trulioo.V1)},
				{trulioo.WithCredentials(markedID, markedSecret), trulioo.WithTokenURL(c.base + "/token")},
				{trulioo.WithTokenSource(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: markedToken}))},
			} {
				var out canaryLog
				client, err := trulioo.NewClient(append(watched(&out), append(credentials,
					trulioo.WithBaseURL(c.base+"/export"), trulioo.WithHTTPClient(&http.Client{Transport: transport}))...)...)
				require.NoError(t, err)
				for op, calls := range canaryCalls(client) {
					for _, call := range calls {
						_, err := call(t.Context())
						assertKnown(t, err)
						assertHidden(t, exposedError(err), op)
					}
				}
				assertHidden(t, out.text(), "the log or the observer")
				client.CloseIdleConnections()
			}
		})
	}
}

// rawServer answers every connection with these bytes once the request is there.
func rawServer(t *testing.T, answer string) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 64<<10))
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		serving.Wait()
	})
	return "http://" + listener.Addr().String()
}

// The caller's own token source and store can say anything.
type saying struct {
	token string
	err   error
}

func (s saying) Token() (*oauth2.Token, error) {
	return &oauth2.Token{AccessToken: s.token}, s.err
}

type sayingStore struct{ saying }

func (s sayingStore) Token(context.Context, string, string, func(context.Context) (*oauth2.Token, error)) (*oauth2.Token, error) {
	return s.saying.Token()
}

func TestCanaryOfTokens(t *testing.T) {
	t.Parallel()
	for name, said := range map[string]saying{
		"good":             {token: markedToken},
		"not printable":    {token: mark + "\r\n"},
		"none":             {},
		"an error":         {err: errors.New(mark)},
		"x/oauth2's error": {err: &oauth2.RetrieveError{Response: &http.Response{StatusCode: 400}, Body: []byte(mark), ErrorDescription: mark, ErrorURI: mark}},
		"a URL's error":    {err: &url.Error{Op: "Post", URL: mark, Err: io.EOF}},
		"the end of time":  {err: fmt.Errorf("%s: %w", mark, context.DeadlineExceeded)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := markedServer(t)
			var out canaryLog
			store := sayingStore{said}
			for _, option := range [][]trulioo.Option{
				{trulioo.WithTokenSource(said), trulioo.WithBaseURL(srv.BaseURL)},
				append(srv.Options(), trulioo.WithTokenStore(store)),
			} {
				client, err := trulioo.NewClient(append(option, watched(&out)...)...)
				require.NoError(t, err)
				t.Cleanup(client.CloseIdleConnections)
				for _, calls := range canaryCalls(client) {
					for _, call := range calls {
						_, err := call(t.Context()) // the server knows no such token
						assertKnown(t, err)
						assertHidden(t, exposedError(err))
					}
				}
			}
			assertHidden(t, out.text(), "the log or the observer")
		})
	}
}

func TestCanaryWhereTheContextEnds(t *testing.T) {
	t.Parallel()
	srv := markedServer(t)
	var out canaryLog
	client := srv.Client(watched(&out)...)
	canceled, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New(mark))
	late, end := context.WithDeadlineCause(t.Context(), time.Unix(1, 0), errors.New(mark))
	defer end()
	for _, ctx := range []context.Context{canceled, late} {
		for _, calls := range canaryCalls(client) {
			for _, call := range calls {
				_, err := call(ctx)
				require.ErrorIs(t, err, ctx.Err())
				assertKnown(t, err)
				assertHidden(t, exposedError(err))
			}
		}
	}
	// An answer and the end together, and the API's own limit.
	srv.Fail(truliootest.GetClient, truliootest.Answer(429, markedMessage).RetryAfter("30"))
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	patient := srv.Client(append(watched(&out), trulioo.WithRetry(trulioo.RetryPolicy{}))...)
	for range 2 {
		_, err := patient.Clients.Get(ctx, markedClient, nil)
		require.ErrorIs(t, err, trulioo.ErrRateLimited)
		assertHidden(t, exposedError(err))
	}
	limited := srv.Client(append(watched(&out), trulioo.WithRateLimit(1e-9, 1))...)
	_, _ = limited.Clients.List(ctx, nil)
	_, err := limited.Clients.List(ctx, nil)
	require.ErrorIs(t, err, trulioo.ErrRateLimited)
	assertHidden(t, exposedError(err))
	assertHidden(t, out.text(), "the log or the observer")
}

func TestCanaryInArgumentsAndPages(t *testing.T) {
	t.Parallel()
	srv := markedServer(t)
	var out canaryLog
	client := srv.Client(watched(&out)...)
	check := func(err error) {
		t.Helper()
		require.Error(t, err)
		assertKnown(t, err)
		assertHidden(t, exposedError(err))
	}
	for _, path := range []string{"https://host/" + mark, "/" + mark, "../" + mark, mark + "?" + mark, mark + "#", mark + "%zz", `\` + mark} {
		_, err := client.GetJSON(t.Context(), path, nil)
		check(err)
	}
	_, err := client.Clients.List(t.Context(), &trulioo.ClientListOptions{Statuses: []trulioo.Status{mark + ","}})
	check(err)
	_, err = client.With(trulioo.WithBaseURL("ftp://" + mark))
	check(err)
	srv.Fail(truliootest.ListClients, truliootest.Answer(http.StatusOK, envelope(99, 9, 0, false, mark, mark+"2")))
	_, err = collect(client.Clients.All(t.Context(), nil))
	require.ErrorIs(t, err, trulioo.ErrPaging)
	check(err)
	assertHidden(t, out.text(), "the log or the observer")
}

// brokenDeduper says and panics with marked things.
type brokenDeduper struct{ panics bool }

func (d brokenDeduper) fail() error {
	if d.panics {
		panic(mark)
	}
	return errors.New(mark)
}

func (d brokenDeduper) Reserve(context.Context, string, time.Duration) (string, trulioo.DedupState, error) {
	return "", 0, d.fail()
}
func (d brokenDeduper) Commit(context.Context, string, string) error  { return d.fail() }
func (d brokenDeduper) Release(context.Context, string, string) error { return d.fail() }

func TestCanaryOfWebhooks(t *testing.T) {
	t.Parallel()
	type kind = func(context.Context, *trulioo.Event) error
	functions := map[string]kind{
		"works":  func(context.Context, *trulioo.Event) error { return nil },
		"fails":  func(context.Context, *trulioo.Event) error { return errors.New(mark) },
		"panics": func(context.Context, *trulioo.Event) error { panic(errors.New(mark)) },
	}
	signature := func(body, secret string) string { return sign([]byte(body), secret) }
	requests := map[string]struct{ body, signature, contentType string }{
		"good":              {markedEvent, signature(markedEvent, markedWebhook), "application/json"},
		"wrong token":       {strings.Replace(markedEvent, markedWebhook, mark+"?", 1), "", "application/json"},
		"wrong signature":   {markedEvent, signature(markedEvent, mark), "application/json"},
		"odd signature":     {markedEvent, mark, "application/json"},
		"odd type":          {markedEvent, "", mark},
		"malformed":         {`{"` + mark + `":` + mark, "", "application/json"},
		"no object":         {`"` + mark + `"`, "", "application/json"},
		"too large":         {`"` + strings.Repeat(mark, 1000) + `"`, "", "application/json"},
		"handshake refused": {`{"type":"url_verification","token":"` + mark + `?","challenge":"` + mark + `"}`, "", "application/json"},
	}
	for verb, fn := range functions {
		for name, r := range requests {
			for _, deduper := range []trulioo.Deduper{trulioo.NewMemoryDeduper(10, time.Hour), brokenDeduper{}, brokenDeduper{panics: true}} {
				body := r.body
				var out canaryLog
				options := []trulioo.WebhookOption{
					trulioo.WithVerificationToken(markedWebhook), trulioo.WithSigningSecret(markedWebhook), trulioo.WithDeduper(deduper),
					trulioo.WithMaxBodyBytes(5000), trulioo.WithWebhookLogger(out.logger()), trulioo.WithWebhookObserver(&out),
					trulioo.WithErrorHook(func(_ context.Context, err error) { _, _ = io.WriteString(&out, exposedError(err)) }),
				}
				handler, err := trulioo.NewWebhookHandler(fn, options...)
				require.NoError(t, err)
				assertHidden(t, exposed(handler)+exposed(*handler))
				signed := r.signature
				if signed == "" {
					signed = signature(body, markedWebhook)
				}
				for range 2 { // the second is a duplicate
					req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/"+mark, strings.NewReader(body))
					req.Header.Set("Content-Type", r.contentType)
					req.Header.Set("X-Trulioo-Signature", signed)
					answer := httptest.NewRecorder()
					handler.ServeHTTP(answer, req)
					assertHidden(t, answer.Body.String(), verb, name)
					handler.Handle(t.Context(), req.Header, []byte(body))
				}
				assert.NotEmpty(t, out.text())
				assertHidden(t, out.text(), verb, name)
			}
		}
	}
	for _, err := range []error{
		trulioo.VerifySignature([]byte(mark), mark, markedWebhook), trulioo.VerifySignature([]byte(mark), signature(mark, "x"), mark),
		trulioo.VerifySignature([]byte(mark), mark, ""),
	} {
		require.Error(t, err)
		assertHidden(t, exposedError(err))
	}
	for _, body := range []string{mark, `"` + mark + `"`, `{"` + mark + `":`, ``, `{"a":"` + mark + `"} ` + mark} {
		_, err := trulioo.ParseEvent([]byte(body))
		require.Error(t, err, body)
		assertHidden(t, exposedError(err))
	}
	for _, options := range [][]trulioo.WebhookOption{
		{trulioo.WithVerificationToken(mark, "")}, {trulioo.WithSigningSecret(mark, "")}, {trulioo.WithSigningSecret(mark), trulioo.WithInsecureNoVerification()}, {},
	} {
		_, err := trulioo.NewWebhookHandler(functions["works"], options...)
		require.Error(t, err)
		assertHidden(t, exposedError(err))
	}
}
