package trulioo_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"time"

	"golang.org/x/oauth2"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// The first call. With an account of your own the client is
// trulioo.NewClient(trulioo.WithCredentials(id, secret)).
func ExampleNewClient() {
	srv, err := truliootest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()

	client, err := trulioo.NewClient(
		trulioo.WithCredentials(srv.ClientID, srv.ClientSecret),
		trulioo.WithBaseURL(srv.BaseURL),
		trulioo.WithTokenURL(srv.TokenURL),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()
	page, err := client.Clients.List(context.Background(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("clients:", page.TotalElements)
	fmt.Println("on this page:", len(page.Data))
	// Output:
	// clients: 25
	// on this page: 20
}

// The test half of the account, over the same connections and with the same token.
func ExampleClient_With() {
	srv, err := truliootest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	live := srv.Client()

	test, err := live.With(trulioo.WithEnvironment(trulioo.Test))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, client := range []*trulioo.Client{live, test} {
		page, err := client.Clients.List(context.Background(), nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("clients:", page.TotalElements)
	}
	fmt.Println("token requests:", srv.Count(truliootest.FetchToken))
	// Output:
	// clients: 25
	// clients: 5
	// token requests: 1
}

// Version 1 has its token endpoint below the base URL; the rest is the same.
func ExampleWithAPIVersion() {
	srv, err := truliootest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()

	client, err := trulioo.NewClient(
		trulioo.WithAPIVersion(trulioo.V1),
		trulioo.WithCredentials(srv.ClientID, srv.ClientSecret),
		trulioo.WithBaseURL(srv.BaseURL),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()
	page, err := client.Workflows.List(context.Background(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("workflows:", page.TotalElements)
	// Output: workflows: 5
}

// A proxy, or a certificate authority, is set on a transport of one's own,
// which the library clones and never changes.
func ExampleWithHTTPClient() {
	srv, err := truliootest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	proxied := 0
	forward := &httputil.ReverseProxy{Rewrite: func(*httputil.ProxyRequest) {}}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxied++
		forward.ServeHTTP(w, r)
	}))
	defer proxy.Close()
	address, err := url.Parse(proxy.URL)
	if err != nil {
		fmt.Println(err)
		return
	}

	client := srv.Client(trulioo.WithHTTPClient(&http.Client{
		Transport: &http.Transport{Proxy: http.ProxyURL(address)},
		Timeout:   10 * time.Second, // of each attempt of a JSON call
	}))
	defer client.CloseIdleConnections()
	_, err = client.Workflows.List(context.Background(), nil)
	fmt.Println(err)
	fmt.Println("through the proxy:", proxied, "requests: the token's too")
	// Output:
	// <nil>
	// through the proxy: 2 requests: the token's too
}

// Tokens from elsewhere, in the types of golang.org/x/oauth2.
func ExampleWithTokenSource() {
	srv, err := truliootest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()

	source := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: srv.Token()})
	client, err := trulioo.NewClient(trulioo.WithTokenSource(source), trulioo.WithBaseURL(srv.BaseURL))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()
	page, err := client.Clients.List(context.Background(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("clients:", page.TotalElements)
	fmt.Println("token requests:", srv.Count(truliootest.FetchToken))
	// Output:
	// clients: 25
	// token requests: 0
}

// At most 100 requests a second, one at once: three calls take some 20 ms.
func ExampleWithRateLimit() {
	srv, err := truliootest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()

	client := srv.Client(trulioo.WithRateLimit(100, 1))
	begun := time.Now()
	for range 3 {
		if _, err := client.Workflows.List(context.Background(), nil); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println(time.Since(begun) > 15*time.Millisecond)
	// Output: true
}

// Fewer attempts, for a caller who would rather hear of a failure soon.
func ExampleWithRetry() {
	srv, err := truliootest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	srv.Fail(truliootest.ListWorkflows, truliootest.Answer(503, ""))

	client := srv.Client(trulioo.WithRetry(trulioo.RetryPolicy{MaxAttempts: 2, MinWait: time.Millisecond}))
	_, err = client.Workflows.List(context.Background(), nil)
	fmt.Println(err)
	// Output: trulioo: list workflows (live, v2, 127.0.0.1): status 503 Service Unavailable (2 attempts)
}

// Only attributes of a short list are logged: nothing personal, no address.
func ExampleWithLogger() {
	srv, err := truliootest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "duration" {
				return slog.Attr{} // they differ each time
			}
			return a
		},
	}))

	_, _ = srv.Client(trulioo.WithLogger(logger)).Clients.Get(context.Background(), "nobody", nil)
	// Output:
	// level=DEBUG msg="trulioo attempt" operation="fetch token" status=200 attempt=1 request_id=req-1
	// level=DEBUG msg="trulioo token" operation="fetch token" status=200 attempt=1 request_id=req-1
	// level=DEBUG msg="trulioo attempt" operation="get client" status=404 attempt=1 request_id=req-2 reason="status 404 Not Found, code 4100"
	// level=WARN msg="trulioo call" operation="get client" status=404 attempt=1 request_id=req-2 reason="status 404 Not Found, code 4100"
}

// countingObserver counts the attempts of all calls, as metrics would.
type countingObserver struct{ attempts int }

// Start implements trulioo.Observer. Here one goroutine calls it; metrics need
// an atomic counter.
func (o *countingObserver) Start(ctx context.Context, step trulioo.Step) (context.Context, func(trulioo.Outcome)) {
	return ctx, func(outcome trulioo.Outcome) {
		if step.Kind == trulioo.StepAttempt {
			o.attempts++
			fmt.Println(step.Operation, outcome.StatusCode)
		}
	}
}

// An observer sees each attempt of each call.
func ExampleWithObserver() {
	srv, err := truliootest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	srv.Fail(truliootest.ListClients, truliootest.Answer(502, ""), truliootest.Times(1))

	observer := &countingObserver{}
	_, _ = srv.Client(trulioo.WithObserver(observer)).Clients.List(context.Background(), nil)
	fmt.Println("attempts:", observer.attempts)
	// Output:
	// fetch token 200
	// list clients 502
	// list clients 200
	// attempts: 3
}

// An endpoint that the library does not know, with its tokens, retries and limits.
func ExampleClient_GetJSON() {
	srv, err := truliootest.Start(truliootest.WithLive(truliootest.NewAccount(truliootest.AccountSpec{})))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()

	raw, err := srv.Client().GetJSON(context.Background(), "query/clients", url.Values{"limit": {"1"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(raw))
	// Output: {"totalElements":0,"totalPages":0,"number":0,"numberOfElements":0,"last":true,"first":true,"data":[]}
}
