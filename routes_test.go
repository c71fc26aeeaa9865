package trulioo_test

import (
	"errors"
	"flag"
	"io"
	"net/http"
	"os"
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

// Every URL that is built: both base URLs of the wire contract, both
// environments, both versions, all operations, and the token endpoints.
func TestRoutes_golden(t *testing.T) {
	t.Parallel()
	var lines []string
	errSeen := errors.New("seen")
	spy := roundTripper(func(req *http.Request) (*http.Response, error) {
		lines = append(lines, req.Method+" "+req.URL.String())
		if req.Method == http.MethodPost {
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: body(`{"access_token":"t","expires_in":3600}`), ContentLength: -1}, nil
		}
		return nil, errSeen
	})
	for _, base := range []string{trulioo.DefaultBaseURL, trulioo.AlternativeBaseURL + "/"} {
		for _, version := range []trulioo.APIVersion{trulioo.V1, trulioo.V2} {
			for _, env := range []trulioo.Environment{trulioo.Live, trulioo.Test} {
				client, err := trulioo.NewClient(
					trulioo.WithCredentials("id with space", "k3y#7&Qw+r%20Tz~9!pL=="),
					trulioo.WithHTTPClient(&http.Client{Transport: spy}),
					trulioo.WithRetry(trulioo.RetryPolicy{MaxAttempts: 1}),
					trulioo.WithBaseURL(base), trulioo.WithAPIVersion(version), trulioo.WithEnvironment(env))
				require.NoError(t, err)
				ask(t, client)
			}
		}
	}
	golden(t, "routes.golden", strings.Join(lines, "\n")+"\n")
}

// ask calls every operation once, with everything that can stand in a URL.
func ask(t *testing.T, client *trulioo.Client) {
	t.Helper()
	ctx := t.Context()
	at := time.Date(2024, 6, 10, 9, 22, 43, 500, time.UTC)
	_, _ = client.Workflows.List(ctx, &trulioo.ListOptions{Limit: 50, Page: 2})
	_, _ = client.Clients.List(ctx, &trulioo.ClientListOptions{Limit: 1, Page: 3, After: at, Before: at.Add(time.Hour),
		Statuses: []trulioo.Status{trulioo.StatusAccepted, trulioo.StatusPendingReview}, FlowID: "a&b=c"})
	_, _ = client.Clients.Get(ctx, "65a1f0c2d3e4b5a697887766", nil)
	_, _ = client.Clients.Get(ctx, "a/b?c#d ..%", &trulioo.GetOptions{FullServiceDetails: true})
	_, _ = client.Files.Download(ctx, "Zmxvd0lk+L2NsaWVudElk/A==")
}

func body(text string) io.ReadCloser { return io.NopCloser(strings.NewReader(text)) }
