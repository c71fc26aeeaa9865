package trulioo_test

import (
	"errors"
	"flag"
	"io"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

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
				var built []string
				lines, built = nil, lines
				calls := everyCall(t, client)
				for _, operation := range slices.Sorted(maps.Keys(calls)) {
					for _, call := range calls[operation] {
						_, _ = call(t.Context())
					}
				}
				lines = append(built, slices.Compact(lines)...) // the methods of a file build the same URL
			}
		}
	}
	golden(t, "routes.golden", strings.Join(lines, "\n")+"\n")
}

// Every route of the table and every parameter of the OpenAPI document stands in
// the golden file.
func TestRoutesGoldenIsComplete(t *testing.T) {
	t.Parallel()
	lines, err := os.ReadFile("testdata/routes.golden")
	require.NoError(t, err)
	for operation, path := range tableOfRoutes(t) {
		assert.Regexp(t, requestLine(path), string(lines), operation)
	}
	for _, name := range []string{"grant_type", "client_id", "client_secret", "scope", "audience"} {
		assert.Regexp(t, "[ &]"+name+"=", string(lines))
	}
	parameters := regexp.MustCompile(`name: (\w+)\n\s+in: query`).FindAllStringSubmatch(openAPI(t), -1)
	require.NotEmpty(t, parameters)
	for _, parameter := range parameters {
		assert.Regexp(t, "[?&]"+parameter[1]+"=", string(lines))
	}
}

// requestLine matches a line of the golden file that asks for this route, and for none below or above it.
func requestLine(route string) *regexp.Regexp {
	path := regexp.MustCompile(`\\\{\w+\\\}`).ReplaceAllString(regexp.QuoteMeta(strings.TrimPrefix(route, "GET ")), `[^/?\s]+`)
	return regexp.MustCompile(`(?m)^GET \S+/v2/` + path + `(?:\?|$)`)
}

func TestRequestLine(t *testing.T) {
	t.Parallel()
	const client, notes = "GET query/client/{clientId}", "GET query/client/{clientId}/notes"
	for line, route := range map[string]string{
		"GET https://h/v2/query/client/a%2Fb": client, "GET https://h/v2/query/client/a?full=true": client,
		"GET https://h/v2/query/client/a/notes": notes, "GET https://h/v2/query/client/a/notes?page=1": notes,
	} {
		assert.Equal(t, route == client, requestLine(client).MatchString("GET https://h/v2/x\n"+line+"\n"), line)
		assert.Equal(t, route == notes, requestLine(notes).MatchString("GET https://h/v2/x\n"+line+"\n"), line)
	}
}

// The OpenAPI document has the paths of the table of routes, and no other that is asked with GET.
func TestOpenAPIDocumentHasEveryRoute(t *testing.T) {
	t.Parallel()
	var documented []string
	for _, path := range regexp.MustCompile(`(?m)^  /(\S+):\n    get:`).FindAllStringSubmatch(openAPI(t), -1) {
		documented = append(documented, "GET "+path[1])
	}
	assert.ElementsMatch(t, routePaths(t), documented, "docs/openapi.yaml")
}

func openAPI(t *testing.T) string {
	t.Helper()
	document, err := os.ReadFile("docs/openapi.yaml")
	require.NoError(t, err)
	return strings.ReplaceAll(string(document), "\r\n", "\n")
}

func body(text string) io.ReadCloser { return io.NopCloser(strings.NewReader(text)) }
