package truliootest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/truliootest"
)

// answer is an HTTP answer read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
	err    error // of the body
}

// ask sends a request with plain net/http.
func ask(t *testing.T, srv *truliootest.Server, method, address string, body io.Reader, header ...string) (answer, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, body)
	require.NoError(t, err)
	for pair := range slices.Chunk(header, 2) {
		req.Header.Set(pair[0], pair[1])
	}
	resp, err := srv.HTTPClient().Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	got := answer{status: resp.StatusCode, header: resp.Header}
	got.body, got.err = io.ReadAll(resp.Body)
	return got, nil
}

// get sends an authorised GET below the base URL and demands a whole answer.
func get(t *testing.T, srv *truliootest.Server, path string, header ...string) answer {
	t.Helper()
	header = append([]string{"Authorization", "Bearer " + srv.Token()}, header...)
	got, err := ask(t, srv, http.MethodGet, srv.BaseURL+path, nil, header...)
	require.NoError(t, err)
	require.NoError(t, got.err)
	return got
}

// tokenV2 asks the version 2 endpoint.
func tokenV2(t *testing.T, srv *truliootest.Server, form url.Values) answer {
	t.Helper()
	got, err := ask(t, srv, http.MethodPost, srv.TokenURL, strings.NewReader(form.Encode()),
		"Content-Type", "application/x-www-form-urlencoded")
	require.NoError(t, err)
	return got
}

func credentials(srv *truliootest.Server) url.Values {
	return url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {srv.ClientID},
		"client_secret": {srv.ClientSecret},
		"scope":         {"workflow.studio.api"},
	}
}

// list is the envelope of both lists.
type list struct {
	TotalElements, TotalPages, Number, NumberOfElements int
	Last, First                                         bool
	Data                                                []row
}

type row struct {
	ID                    string
	Created, LastModified *int64
	Status                string
}

func (l list) ids() []string {
	ids := make([]string, len(l.Data))
	for i, r := range l.Data {
		ids[i] = r.ID
	}
	return ids
}

func decode[T any](t *testing.T, body []byte) T {
	t.Helper()
	var v T
	require.NoError(t, json.Unmarshal(body, &v), "%s", body)
	return v
}

func clients(t *testing.T, srv *truliootest.Server, query string) list {
	t.Helper()
	got := get(t, srv, "/v2/query/clients?"+query)
	require.Equal(t, http.StatusOK, got.status)
	page := decode[list](t, got.body)
	assert.Len(t, page.Data, page.NumberOfElements)
	return page
}

// filePath is the path of the file of a key, below the version.
func filePath(key string) string { return "/query/file?" + url.Values{"key": {key}}.Encode() }

// content is the file that a download should give.
func content(t *testing.T, srv *truliootest.Server, key string) []byte {
	t.Helper()
	body, err := io.ReadAll(srv.FileContent(key))
	require.NoError(t, err)
	return body
}

func atoi(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}
