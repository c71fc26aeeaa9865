package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// document is the OpenAPI document, ready to check exchanges with.
type document struct {
	*openapi3.T
	routes routers.Router
}

// open reads the document as it is published.
func open(t *testing.T) document {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("../docs/openapi.yaml")
	require.NoError(t, err)
	require.NoError(t, doc.Validate(t.Context()))
	routes, err := gorillamux.NewRouter(doc)
	require.NoError(t, err)
	return document{doc, routes}
}

// openClosed reads it with unknown fields forbidden, so that a field which the
// document does not name, or spells otherwise, is an error.
func openClosed(t *testing.T) document {
	t.Helper()
	doc := open(t)
	for _, schema := range doc.Components.Schemas {
		forbidUnknown(schema)
	}
	return doc
}

func forbidUnknown(ref *openapi3.SchemaRef) {
	if ref == nil || ref.Value == nil {
		return
	}
	schema := ref.Value
	if len(schema.AllOf) > 0 {
		closeTogether(schema)
		return
	}
	for _, property := range schema.Properties {
		if property.Ref == "" {
			forbidUnknown(property)
		}
	}
	if schema.Items != nil && schema.Items.Ref == "" {
		forbidUnknown(schema.Items)
	}
	if len(schema.Properties) > 0 && schema.AdditionalProperties.Has == nil && schema.AdditionalProperties.Schema == nil {
		closed := false
		schema.AdditionalProperties.Has = &closed
	}
}

// closeTogether makes one object of the parts of an allOf: each alone would
// forbid the fields of the others.
func closeTogether(schema *openapi3.Schema) {
	closed := false
	whole := openapi3.Schema{Type: &openapi3.Types{"object"}, Properties: openapi3.Schemas{}}
	for _, part := range schema.AllOf {
		maps.Copy(whole.Properties, part.Value.Properties)
		whole.Required = append(whole.Required, part.Value.Required...)
	}
	whole.AdditionalProperties.Has = &closed
	*schema = whole
}

// exchange is one request with its answer.
type exchange struct {
	request     *http.Request
	requestBody []byte
	status      int
	header      http.Header
	body        []byte
}

// tap is a RoundTripper that keeps what passes.
type tap struct {
	next      http.RoundTripper
	mu        sync.Mutex
	exchanges []exchange
}

// RoundTrip implements http.RoundTripper.
func (p *tap) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchange{request: req.Clone(context.WithoutCancel(req.Context()))}
	if req.Body != nil {
		var err error
		if x.requestBody, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		req.Body = io.NopCloser(bytes.NewReader(x.requestBody))
	}
	resp, err := p.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	x.status, x.header = resp.StatusCode, resp.Header
	x.body, err = io.ReadAll(resp.Body)
	if closeErr := resp.Body.Close(); err != nil || closeErr != nil {
		return nil, errors.Join(err, closeErr)
	}
	resp.Body = io.NopCloser(bytes.NewReader(x.body))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.exchanges = append(p.exchanges, x)
	return resp, nil
}

// check says how an exchange departs from the document, and which operation it was. The
// fake server's addresses stand for the vendor's.
func (d document) check(x exchange, srv *truliootest.Server) (string, error) {
	address := x.request.URL.String()
	if rest, ok := strings.CutPrefix(address, srv.BaseURL); ok {
		address = trulioo.DefaultBaseURL + rest
	} else if rest, ok := strings.CutPrefix(address, srv.TokenURL); ok {
		address = trulioo.DefaultTokenURL + rest
	}
	req, err := http.NewRequestWithContext(x.request.Context(), x.request.Method, address, bytes.NewReader(x.requestBody))
	if err != nil {
		return "", err
	}
	req.Header = x.request.Header.Clone()
	input, err := d.checkRequest(req)
	if err != nil {
		return "", err
	}
	answer := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input,
		Status:                 x.status,
		Header:                 x.header,
		Options:                &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	}
	answer.SetBodyBytes(x.body)
	return input.Route.Operation.OperationID, openapi3filter.ValidateResponse(req.Context(), answer)
}

// checkRequest finds the operation and checks the request. kin-openapi does not
// mind parameters and fields of a form that the document does not name; we do.
func (d document) checkRequest(req *http.Request) (*openapi3filter.RequestValidationInput, error) {
	route, path, err := d.routes.FindRoute(req)
	if err != nil {
		return nil, err
	}
	for name, values := range req.URL.Query() {
		if route.Operation.Parameters.GetByInAndName(openapi3.ParameterInQuery, name) == nil {
			return nil, fmt.Errorf("%s has no parameter %s", route.Operation.OperationID, name)
		}
		if len(values) > 1 {
			return nil, fmt.Errorf("%s has the parameter %s once, not %d times", route.Operation.OperationID, name, len(values))
		}
	}
	if err := checkForm(req, route.Operation); err != nil {
		return nil, err
	}
	input := &openapi3filter.RequestValidationInput{
		Request:    req,
		PathParams: path,
		Route:      route,
		Options:    &openapi3filter.Options{AuthenticationFunc: bearer, MultiError: true},
	}
	return input, openapi3filter.ValidateRequest(req.Context(), input)
}

const formType = "application/x-www-form-urlencoded"

// checkForm reads a form, and gives the request its body again.
func checkForm(req *http.Request, operation *openapi3.Operation) error {
	if req.Header.Get("Content-Type") != formType {
		return nil
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return err
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	fields, err := url.ParseQuery(string(body))
	for name := range fields {
		if operation.RequestBody.Value.Content[formType].Schema.Value.Properties[name] == nil {
			return fmt.Errorf("the form of %s has no field %s", operation.OperationID, name)
		}
	}
	return err
}

// bearer is called for operations that demand a token.
func bearer(_ context.Context, input *openapi3filter.AuthenticationInput) error {
	header := input.RequestValidationInput.Request.Header.Get("Authorization")
	if token, ok := strings.CutPrefix(header, "Bearer "); !ok || token == "" {
		return errors.New("no bearer token")
	}
	return nil
}

func TestMain(m *testing.M) {
	// A file and a proxy's page are strings to the validator, which knows neither.
	openapi3filter.RegisterBodyDecoder("image/jpeg", openapi3filter.FileBodyDecoder)
	openapi3filter.RegisterBodyDecoder("text/html", openapi3filter.FileBodyDecoder)
	os.Exit(m.Run())
}

// Every URL of the library's golden list of routes is one of the document, and
// no operation of the document is missing in the list.
func TestDocumentHasTheLibrarysRoutes(t *testing.T) {
	t.Parallel()
	doc := open(t)
	golden, err := os.Open("../testdata/routes.golden")
	require.NoError(t, err)
	defer func() { require.NoError(t, golden.Close()) }()
	seen := map[string]bool{}
	for lines := bufio.NewScanner(golden); lines.Scan(); {
		method, rest, _ := strings.Cut(lines.Text(), " ")
		address, body, _ := strings.Cut(rest, " ")
		req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer token")
		if body != "" {
			req.Header.Set("Content-Type", formType)
		}
		input, err := doc.checkRequest(req)
		require.NoError(t, err, lines.Text())
		seen[input.Route.Server.URL+" "+input.Route.Operation.OperationID] = true
	}
	want := map[string]bool{"https://auth-api.trulioo.com fetchToken": true}
	for _, base := range []string{trulioo.DefaultBaseURL, trulioo.AlternativeBaseURL} {
		want[base+" fetchTokenV1"] = true
		for _, variant := range []string{"/v1", "/v2", "/test/v1", "/test/v2"} {
			for _, operation := range []string{"listWorkflows", "listClients", "getClient", "downloadFile"} {
				want[base+variant+" "+operation] = true
			}
		}
	}
	assert.Equal(t, want, seen)
}

// conformance is a server and the requests to it.
type conformance struct {
	name string
	opts []truliootest.Option
	open bool // with fields that the document does not name, which it allows
}

func conformances() []conformance {
	odd := truliootest.AccountSpec{Clients: 60, UndatedEvery: 4, Ties: 3, Seed: 3}
	generated := func(seed uint64) *truliootest.Account {
		return truliootest.NewAccount(truliootest.AccountSpec{Clients: 60, Seed: seed})
	}
	return []conformance{
		{name: "generated accounts", opts: []truliootest.Option{truliootest.WithLive(generated(1)), truliootest.WithTest(generated(2))}},
		{name: "missing dates", opts: []truliootest.Option{truliootest.WithLive(truliootest.NewAccount(odd)), truliootest.WithTest(truliootest.NewAccount(odd))}},
		{name: "the vendor's samples", opts: []truliootest.Option{truliootest.WithLive(truliootest.SampleAccount()), truliootest.WithTest(truliootest.SampleAccount())}},
		{name: "unknown fields", opts: []truliootest.Option{truliootest.WithDialect(truliootest.Dialect{UnknownFields: true})}, open: true},
		{name: "lower case and milliseconds", opts: []truliootest.Option{truliootest.WithDialect(truliootest.Dialect{LowerCase: true, Milliseconds: true})}},
	}
}

// The fake server's answers and the library's requests conform to the
// document: every operation, both versions, both environments.
func TestServerAndLibraryConform(t *testing.T) {
	t.Parallel()
	for _, c := range conformances() {
		for _, version := range []trulioo.APIVersion{trulioo.V1, trulioo.V2} {
			for _, env := range []trulioo.Environment{trulioo.Live, trulioo.Test} {
				t.Run(fmt.Sprintf("%s %s %s", c.name, version, env), func(t *testing.T) {
					t.Parallel()
					srv := truliootest.NewServer(t, c.opts...)
					taps := &tap{next: srv.HTTPClient().Transport}
					askEverything(t, client(t, srv, taps, version, env), account(srv, env))
					doc := openClosed(t)
					if c.open {
						doc = open(t)
					}
					operations := conforms(t, doc, srv, taps)
					token := map[trulioo.APIVersion]string{trulioo.V1: "fetchTokenV1", trulioo.V2: "fetchToken"}[version]
					assert.Equal(t, slices.Sorted(slices.Values([]string{token, "listWorkflows", "listClients", "getClient", "downloadFile"})), operations)
				})
			}
		}
	}
}

func account(srv *truliootest.Server, env trulioo.Environment) *truliootest.Account {
	if env == trulioo.Test {
		return srv.Test
	}
	return srv.Live
}

// client is the library's, with its requests passing the tap.
func client(t *testing.T, srv *truliootest.Server, taps *tap, version trulioo.APIVersion, env trulioo.Environment) *trulioo.Client {
	t.Helper()
	opts := srv.Options()
	if version == trulioo.V1 {
		opts = srv.OptionsV1()
	}
	client, err := trulioo.NewClient(append(opts, trulioo.WithEnvironment(env),
		trulioo.WithHTTPClient(&http.Client{Transport: taps}), trulioo.WithRetry(trulioo.RetryPolicy{MaxAttempts: 1}))...)
	require.NoError(t, err)
	return client
}

// conforms checks all exchanges and returns their operations, each once.
func conforms(t *testing.T, doc document, srv *truliootest.Server, taps *tap) []string {
	t.Helper()
	operations := map[string]bool{}
	for _, x := range taps.exchanges {
		operation, err := doc.check(x, srv)
		require.NoError(t, err, "%s %s: %d %s", x.request.Method, x.request.URL, x.status, x.body)
		operations[operation] = true
	}
	return slices.Sorted(maps.Keys(operations))
}

// askEverything makes every call that the library has, with every parameter.
func askEverything(t *testing.T, client *trulioo.Client, account *truliootest.Account) {
	t.Helper()
	ctx := t.Context()
	for _, err := range client.Workflows.All(ctx, nil) {
		require.NoError(t, err)
	}
	_, err := client.Workflows.List(ctx, &trulioo.ListOptions{Limit: 50, Page: 1})
	require.NoError(t, err)
	page, err := client.Clients.List(ctx, nil)
	require.NoError(t, err)
	require.NotEmpty(t, page.Data)
	newest := time.Unix(1718011363, 0)
	_, err = client.Clients.List(ctx, &trulioo.ClientListOptions{
		Limit: 1, Page: 2, After: newest.AddDate(0, 0, -1), Before: newest,
		Statuses: []trulioo.Status{trulioo.StatusAccepted, trulioo.StatusRejected}, FlowID: account.FlowIDs()[0],
	})
	require.NoError(t, err)
	keys := []string{}
	for row, err := range client.Clients.All(ctx, nil) {
		require.NoError(t, err)
		for _, full := range []bool{false, true} {
			_, err := client.Clients.Get(ctx, row.ID, &trulioo.GetOptions{FullServiceDetails: full})
			require.NoError(t, err)
		}
		keys = append(keys, account.FileKeys(row.ID)...)
	}
	require.NotEmpty(t, keys)
	file, err := client.Files.Download(ctx, keys[0])
	require.NoError(t, err)
	require.NoError(t, file.Body.Close())
	_, err = client.Files.Save(ctx, keys[0], io.Discard)
	require.NoError(t, err)
}

// The export's requests conform as those of single calls do.
func TestExportConforms(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t, truliootest.WithLive(truliootest.NewAccount(truliootest.AccountSpec{Clients: 180, UndatedEvery: 7})))
	taps := &tap{next: srv.HTTPClient().Transport}
	n := 0
	for item, err := range client(t, srv, taps, trulioo.V2, trulioo.Live).Clients.Export(t.Context(), nil) {
		require.NoError(t, err)
		require.NoError(t, item.Err)
		n++
	}
	assert.Equal(t, 180, n)
	assert.Equal(t, []string{"fetchToken", "getClient", "listClients"}, conforms(t, openClosed(t), srv, taps))
}

// The document also has the server's answers to mistakes.
func TestFailuresConform(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for name, c := range map[string]struct {
		fail func(*truliootest.Server)
		call func(*trulioo.Client) error
		want int
	}{
		"unknown client": {call: func(c *trulioo.Client) error {
			_, err := c.Clients.Get(ctx, "nobody", nil)
			return err
		}, want: http.StatusNotFound},
		"unknown file": {call: func(c *trulioo.Client) error {
			_, err := c.Files.Save(ctx, "bm90aGluZw==", io.Discard)
			return err
		}, want: http.StatusNotFound},
		"revoked token": {fail: func(s *truliootest.Server) { s.SetTokens(truliootest.Tokens{RevokeEvery: 1}) }, call: func(c *trulioo.Client) error {
			_, first := c.Workflows.List(ctx, nil)
			_, second := c.Workflows.List(ctx, nil)
			return errors.Join(first, second)
		}, want: http.StatusUnauthorized},
		"too many requests": {fail: func(s *truliootest.Server) {
			s.Fail(truliootest.ListClients, truliootest.Answer(http.StatusTooManyRequests, `{"message":"slow down"}`).RetryAfter("0"))
		}, call: func(c *trulioo.Client) error {
			_, err := c.Clients.List(ctx, nil)
			return err
		}, want: http.StatusTooManyRequests},
		"a proxy's page": {fail: func(s *truliootest.Server) {
			s.Fail(truliootest.GetClient, truliootest.Answer(http.StatusBadGateway, "<html>bad gateway</html>"))
		}, call: func(c *trulioo.Client) error {
			_, err := c.Clients.Get(ctx, "anybody", nil)
			return err
		}, want: http.StatusBadGateway},
		"wrong secret": {fail: func(s *truliootest.Server) { s.ClientSecret = "wrong" }, call: func(c *trulioo.Client) error {
			_, err := c.Workflows.List(ctx, nil)
			return err
		}, want: http.StatusBadRequest},
	} {
		for _, version := range []trulioo.APIVersion{trulioo.V1, trulioo.V2} {
			t.Run(name+" "+string(version), func(t *testing.T) {
				t.Parallel()
				srv := truliootest.NewServer(t)
				taps := &tap{next: srv.HTTPClient().Transport}
				library := client(t, srv, taps, version, trulioo.Live)
				if c.fail != nil {
					c.fail(srv)
				}
				err := c.call(library)
				if c.want != http.StatusUnauthorized { // which the library mends
					require.Error(t, err)
				}
				statuses := []int{}
				for _, x := range taps.exchanges {
					statuses = append(statuses, x.status)
				}
				assert.Contains(t, statuses, c.want)
				conforms(t, openClosed(t), srv, taps)
			})
		}
	}
}

// The vendor may add fields at any time: the document as published allows them
// in every object, and only the closed one of the tests does not.
func TestNewFieldsAreAllowed(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	_, err := srv.Live.Put([]byte(`{"id":"new","x":1,"flowData":{"f":{"x":[1],"fieldData":{"a":{"id":"a","x":{}}},` +
		`"serviceData":[{"x":null,"transactionInfo":{"x":1},"fullServiceDetails":{"X":1,"Record":{"X":"y","DatasourceResults":[{"X":[]}]}}}]}},` +
		`"notes":[{"x":1}],"tasks":[{"x":1}]}`))
	require.NoError(t, err)
	taps := &tap{next: srv.HTTPClient().Transport}
	_, err = client(t, srv, taps, trulioo.V2, trulioo.Live).Clients.Get(t.Context(), "new", nil)
	require.NoError(t, err)
	require.Equal(t, []string{"fetchToken", "getClient"}, conforms(t, open(t), srv, taps))
	_, err = openClosed(t).check(taps.exchanges[1], srv)
	require.Error(t, err)
}

// The checks above can fail: they find every departure from the document.
func TestDeparturesAreFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		path, token, answer string
	}{
		"limit out of range":     {"/v2/query/clients?limit=51", "good", ""},
		"negative page":          {"/v2/query/workflows?page=-1", "good", ""},
		"unknown parameter":      {"/v2/query/clients?status=ACCEPTED", "good", ""},
		"parameter twice":        {"/v2/query/clients?statuses=ACCEPTED&statuses=FAILED", "good", ""},
		"milliseconds as a date": {"/v2/query/clients?after=2024-06-10", "good", ""},
		"no key":                 {"/v2/query/file", "good", ""},
		"no token":               {"/v2/query/workflows", "", ""},
		"unknown path":           {"/v3/query/workflows", "good", ""},
		"plural path":            {"/v2/query/clients/1", "good", ""},
		"field of another type":  {"/v2/query/client/1", "good", `{"id":7}`},
		"field missing":          {"/v2/query/client/1", "good", `{"status":"ACCEPTED"}`},
		"field misspelt":         {"/v2/query/client/1", "good", `{"id":"1","ownerIDs":[]}`},
		"deep field misspelt":    {"/v2/query/client/1", "good", `{"id":"1","flowData":{"f":{"serviceData":[{"fullServiceDetails":{"Record":{"recordStatus":"match"}}}]}}}`},
		"page without rows":      {"/v2/query/clients", "good", `{"totalElements":0,"totalPages":0,"number":0,"numberOfElements":0,"last":true,"first":true}`},
		"page misspelt":          {"/v2/query/clients", "good", `{"totalElements":0,"totalPages":0,"number":0,"numberOfElements":0,"last":true,"first":true,"data":[],"size":0}`},
		"not JSON":               {"/v2/query/clients", "good", `[`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := truliootest.NewServer(t, truliootest.WithLive(truliootest.SampleAccount()))
			if c.answer != "" {
				srv.Fail(truliootest.Any, truliootest.Answer(http.StatusOK, c.answer))
			}
			taps := &tap{next: srv.HTTPClient().Transport}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.BaseURL+c.path, http.NoBody)
			require.NoError(t, err)
			if c.token != "" {
				req.Header.Set("Authorization", "Bearer "+srv.Token())
			}
			resp, err := taps.RoundTrip(req)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			_, err = openClosed(t).check(taps.exchanges[0], srv)
			assert.Error(t, err)
		})
	}
}
