package trulioo

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/trulioo-go/trulioo/internal/transport"
	"github.com/trulioo-go/trulioo/internal/wire"
)

// Client asks the Export API of one account, environment and version. It is
// safe for concurrent use; make one and keep it. Its zero value cannot be used.
//
//trulioo:redact
type Client struct {
	Workflows *WorkflowsService
	Clients   *ClientsService
	Files     *FilesService

	config    *config
	family    *family
	prefix    string
	transport *transport.Transport
	patience  func() patience // an export's, with calls that its functions make; nil elsewhere
}

// family holds the parts that a client shares with those that With makes of it.
type family struct {
	base    http.RoundTripper
	pause   *transport.Pause
	store   TokenStore
	limiter *transport.RateLimit
	spread  transport.Spread // of an export
}

// NewClient makes a client of credentials, or of a token source, and options.
// It sends nothing. The error is an *ArgumentError.
func NewClient(opts ...Option) (*Client, error) {
	c := newConfig()
	c.apply(opts)
	return newClient(c)
}

// NewClientFromEnv is NewClient, and fills each setting that no option gives from
// its TRULIOO_ variable; the package's overview has the table. The error of missing
// credentials names both variables.
func NewClientFromEnv(opts ...Option) (*Client, error) {
	c := newConfig()
	c.apply(opts)
	if err := c.fromEnv(); err != nil {
		return nil, err
	}
	return newClient(c)
}

func newClient(c *config) (*Client, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	f := &family{
		base:  baseTransport(c.httpClient),
		pause: &transport.Pause{},
		store: c.tokenStore,
	}
	if f.store == nil {
		f.store = NewMemoryTokenStore()
	}
	f.limiter = c.limiter()
	return build(c, f), nil
}

// With makes a client that differs in the given options. It shares the
// connections, the tokens, the rate limit and the pause after a 429, unless an
// option replaces them. A change of the API version drops an inherited token URL.
func (c *Client) With(opts ...Option) (*Client, error) {
	child := c.config.child()
	child.apply(opts)
	if child.version != c.config.version && !child.has("WithTokenURL") {
		child.tokenURL = ""
	}
	if child.has("WithCredentials") && !child.has("WithTokenSource") {
		child.tokenSource = nil
	}
	if err := child.validate(); err != nil {
		return nil, err
	}
	f := *c.family
	if child.has("WithHTTPClient") {
		f.base = baseTransport(child.httpClient)
	}
	if child.has("WithTokenStore") {
		f.store = child.tokenStore
	}
	if child.has("WithRateLimit") {
		f.limiter = child.limiter()
	}
	return build(child, &f), nil
}

// ForEvent returns the client of the environment in which the event happened: c
// itself where that is c's own environment.
func (c *Client) ForEvent(ev *Event) *Client {
	env := Live
	if ev != nil && ev.Test {
		env = Test
	}
	if ev == nil || env == c.config.environment {
		return c
	}
	sibling := c.config.child()
	sibling.environment = env
	return build(sibling, c.family)
}

// baseTransport is the caller's transport or Go's default one, made fit for the API.
func baseTransport(client *http.Client) http.RoundTripper {
	if client == nil || client.Transport == nil {
		return transport.Fit(http.DefaultTransport)
	}
	return transport.Fit(client.Transport)
}

// build makes a client of a config that has been validated.
func build(c *config, f *family) *Client {
	client := &Client{config: c, family: f, prefix: prefix(c.baseURL, c.environment, c.version)}
	origin, _ := url.Parse(c.baseURL) // validated
	steps := transport.Config{
		Base:      f.base,
		Origin:    origin,
		Pause:     f.pause,
		Limiter:   f.limiter,
		Spread:    f.spread,
		Policy:    c.policy(),
		MaxBytes:  c.maxResponse,
		UserAgent: c.agent(),
		Observe:   c.observe(),
	}
	steps.Token = newTokenFunc(c, f.store, transport.New(steps))
	client.transport = transport.New(steps)
	client.Workflows = &WorkflowsService{client}
	client.Clients = &ClientsService{client}
	client.Files = &FilesService{client}
	return client
}

// CloseIdleConnections closes the connections that are kept for later calls,
// also those of the clients that share them.
func (c *Client) CloseIdleConnections() {
	(&http.Client{Transport: c.family.base}).CloseIdleConnections()
}

// GetJSON asks an endpoint that the library does not know. path is relative to the
// environment and version, such as "query/workflows", and already escaped. The
// answer is one whole JSON value. Retries, tokens and the cap on the size are those
// of any call.
func (c *Client) GetJSON(ctx context.Context, path string, query url.Values) (json.RawMessage, error) {
	if !transport.Below(path) {
		return nil, &ArgumentError{Argument: "path", Reason: "must be relative, without a query, a fragment or dot segments"}
	}
	var raw json.RawMessage
	err := c.call(ctx, OperationGetJSON, c.address(route{path: path}, "", query), func(body []byte) error {
		raw = body
		return decodeError(wire.Check(body))
	})
	if err != nil {
		return nil, err
	}
	return raw, nil
}

// checkContext refuses a nil context, on which the packages below would panic.
func checkContext(ctx context.Context) error {
	if ctx == nil {
		return &ArgumentError{Argument: "ctx", Reason: "must not be nil"}
	}
	return nil
}

// get asks a route and decodes the answer. id is the end client's where the path has
// one, else "". decode gets the whole body, and may keep it.
func get[T any](ctx context.Context, c *Client, r route, id string, query url.Values, decode func(body []byte) (*T, error)) (*T, error) {
	if err := r.checkID(id); err != nil {
		return nil, err
	}
	var answer *T
	err := c.call(ctx, r.operation, c.address(r, id, query), func(body []byte) (err error) {
		answer, err = decode(body)
		return err
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// call makes a JSON call. decode gets the whole body, and may keep it.
func (c *Client) call(ctx context.Context, operation, address string, decode func([]byte) error) error {
	if err := checkContext(ctx); err != nil {
		return err
	}
	resp, err := c.do(ctx, &transport.Call{Operation: operation, URL: address, Decode: decoded(decode)})
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// do makes a call and tells the functions that ObserveCalls put into ctx how it ended.
func (c *Client) do(ctx context.Context, call *transport.Call) (*http.Response, error) {
	resp, err := c.transport.Do(ctx, call)
	if err != nil {
		err = c.config.asked(call.Operation).failure(err)
	}
	if each, ok := ctx.Value(callsKey{}).(func(Step, Outcome)); ok {
		o := Outcome{Attempts: call.Attempts, Err: err}
		if resp != nil {
			o.StatusCode, o.RequestID = resp.StatusCode, printableID(transport.RequestID(resp.Header))
		} else if api, ok := errors.AsType[*APIError](err); ok {
			o.StatusCode, o.RequestID = api.StatusCode, printableID(api.RequestID)
		}
		each(Step{Kind: StepCall, Operation: call.Operation, Environment: c.config.environment}, o)
	}
	return resp, err
}

// decoded tells the transport which decoding errors another attempt may mend.
func decoded(decode func([]byte) error) func([]byte) error {
	return func(body []byte) error {
		var err error
		if page := transport.PageReason(body); page != "" {
			err = &DecodeError{Reason: page, cause: ErrUnexpectedAnswer}
		} else {
			err = decode(body)
		}
		if wrong, ok := errors.AsType[*DecodeError](err); ok && wrong.Path == "" && wrong.cause == nil {
			if !transport.Object(body) {
				wrong.cause = ErrUnexpectedAnswer // like a gateway's page: every answer of the API is an object
			}
			err = saidOr(body, wrong) // such as a list of errors in place of a profile
		}
		if err != nil {
			return &transport.DecodeError{Err: err, MayPass: mayPass(err)}
		}
		return nil
	}
}
