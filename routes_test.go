package trulioo_test

import (
	"errors"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file in testdata, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), got, "run the test with -update to accept")
}

// The golden file holds every URL and form that is built: both base URLs of the
// wire contract, both environments, both versions, all operations, and the token
// endpoints.
func TestRoutes_golden(t *testing.T) {
	t.Parallel()
	var lines []string
	errSeen := errors.New("seen")
	spy := roundTripper(func(req *http.Request) (*http.Response, error) {
		line := req.Method + " " + req.URL.String()
		if req.Body != nil {
			form, err := io.ReadAll(req.Body)
			require.NoError(t, err)
			line = strings.TrimSpace(line + " " + string(form))
		}
		lines = append(lines, line)
		if req.Method == http.MethodPost {
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: body(`{"access_token":"t","expires_in":3600}`), ContentLength: -1}, nil
		}
		return nil, errSeen
	})
	for _, base := range []string{trulioo.DefaultBaseURL, trulioo.AlternativeBaseURL + "/"} {
		for _, version := range []trulioo.APIVersion{trulioo.V1, trulioo.V2} {
			for _, env := range []trulioo.Environment{trulioo.Live, trulioo.Test} {
				options := []trulioo.Option{
					trulioo.WithCredentials("id with space", "k3y#7&Qw+r%20Tz~9!pL=="),
					trulioo.WithHTTPClient(&http.Client{Transport: spy}),
					trulioo.WithRetry(trulioo.RetryPolicy{MaxAttempts: 1}),
					trulioo.WithBaseURL(base), trulioo.WithAPIVersion(version), trulioo.WithEnvironment(env),
				}
				if version == trulioo.V2 {
					options = append(options, trulioo.WithAudience("an audience"))
				}
				client, err := trulioo.NewClient(options...)
				require.NoError(t, err)
				ask(t, client)
			}
		}
	}
	golden(t, "routes.golden", strings.Join(lines, "\n")+"\n")
}

// ask calls every operation with every parameter that it has.
func ask(t *testing.T, client *trulioo.Client) {
	t.Helper()
	ctx := t.Context()
	at := time.Date(2024, 6, 10, 9, 22, 43, 500, time.UTC)
	_, _ = client.Workflows.List(ctx, full(t, &trulioo.ListOptions{Limit: 50, Page: 2}))
	_, _ = client.Clients.List(ctx, full(t, &trulioo.ClientListOptions{Limit: 1, Page: 3, After: at, Before: at.Add(time.Hour),
		Statuses: []trulioo.Status{trulioo.StatusAccepted, trulioo.StatusPendingReview}, FlowID: "a&b=c"}))
	_, _ = client.Clients.Get(ctx, "65a1f0c2d3e4b5a697887766", nil)
	_, _ = client.Clients.Get(ctx, "a/b?c#d ..%", full(t, &trulioo.GetOptions{FullServiceDetails: true}))
	_, _ = client.Files.Download(ctx, "Zmxvd0lk+L2NsaWVudElk/A==")
}

// full demands that every field of the options is set, so that a new one cannot be forgotten.
func full[T any](t *testing.T, options *T) *T {
	t.Helper()
	value := reflect.ValueOf(options).Elem()
	for field, v := range value.Fields() {
		assert.False(t, v.IsZero(), "%s.%s is not in the golden file of routes", value.Type(), field.Name)
	}
	return options
}

// Every route of the table and every parameter of the OpenAPI document stands in
// the golden file.
func TestRoutesGoldenIsComplete(t *testing.T) {
	t.Parallel()
	lines, err := os.ReadFile("testdata/routes.golden")
	require.NoError(t, err)
	for operation, path := range tableOfRoutes(t) {
		path, _, _ = strings.Cut(strings.TrimPrefix(path, "GET "), "{")
		assert.Contains(t, string(lines), "/v2/"+path, operation)
	}
	document, err := os.ReadFile("docs/openapi.yaml")
	require.NoError(t, err)
	for _, name := range []string{"grant_type", "client_id", "client_secret", "scope", "audience"} {
		assert.Regexp(t, "[ &]"+name+"=", string(lines))
	}
	parameters := regexp.MustCompile(`name: (\w+)\n\s+in: query`).FindAllStringSubmatch(string(document), -1)
	require.NotEmpty(t, parameters)
	for _, parameter := range parameters {
		assert.Regexp(t, "[?&]"+parameter[1]+"=", string(lines))
	}
}

func body(text string) io.ReadCloser { return io.NopCloser(strings.NewReader(text)) }

// An operation's name stands in routes.go, and everywhere else is its constant,
// so that errors, logs, the fake server and the adapters say one word.
func TestOperationNamesStandInOnePlace(t *testing.T) {
	t.Parallel()
	constants := map[string]string{}
	ast.Inspect(parsedFiles(t)["routes.go"], func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "Operation") {
			name, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			assert.NotContains(t, constants, name, "two operations of one name")
			constants[name] = spec.Names[0].Name
		}
		return true
	})
	require.Contains(t, constants, "fetch token")
	seen := 0
	require.NoError(t, filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || path == "routes.go" {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		seen++
		ast.Inspect(file, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if text, err := strconv.Unquote(literal.Value); err == nil {
					assert.Empty(t, constants[text], "%s: %q has a constant", path, text)
				}
			}
			return true
		})
		return nil
	}))
	assert.Greater(t, seen, 200)
}
