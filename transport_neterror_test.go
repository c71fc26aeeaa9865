package trulioo_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/trulioo-go/trulioo"
)

// Each way in which two sides do not come together has words of its own, and is
// tried again only where that may help.
func TestTransportErrorNamesWhatWentWrong(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	secure := tlsServer(t, &tls.Config{MinVersion: tls.VersionTLS12})
	mutual := tlsServer(t, &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12})
	mutual12 := tlsServer(t, &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12}) //nolint:gosec // its alert comes early
	old := tlsServer(t, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})                                            //nolint:gosec // the fault under test
	trusting := func(s *httptest.Server) *http.Transport { return s.Client().Transport.(*http.Transport).Clone() }
	older := tls10(t) // it does not look at what the client offers
	verifying := tlsServer(t, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12})
	stranger := trusting(verifying)
	stranger.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &secure.TLS.Certificates[0], nil }
	only13 := trusting(mutual12)
	only13.TLSClientConfig.MinVersion = tls.VersionTLS13
	for name, c := range map[string]struct {
		base      string
		transport *http.Transport
		reason    string
		attempts  int
	}{
		"TLS to a plain port":      {"https://" + plain.Listener.Addr().String(), trusting(secure), "the server does not speak TLS", 1},
		"a distrusted certificate": {secure.URL, new(http.Transport), "the server's certificate is not trusted", 1},
		"no client certificate":    {mutual.URL, trusting(mutual), "the server requires a client certificate", 1},
		"none, TLS 1.2":            {mutual12.URL, trusting(mutual12), "the server refused the TLS handshake: a client certificate or a TLS version may be missing", 1},
		"a refused certificate":    {verifying.URL, stranger, "the server refused the client certificate", 1},
		"plain http to a TLS port": {"http://" + answering(t, "\x15\x03\x01\x00\x02\x02\x46"), new(http.Transport), "the server speaks TLS, not plain http", 1}, // by an alert
		"a server of old TLS":      {old.URL, trusting(old), "the server does not support the client's TLS versions", 1},
		"a server of TLS 1.0 only": {"https://" + older, new(http.Transport), "the server's TLS version is not supported", 1},
		"a client of new TLS":      {mutual12.URL, only13, "the server does not support the client's TLS versions", 1},
		"proxy 403":                {secure.URL, proxied(t, "403 Forbidden"), "the proxy refused to connect to the server (its status is 403)", 1},
		"proxy 407":                {secure.URL, proxied(t, "407 Who are you"), "the proxy requires a user name and a password (its status is 407)", 1},
		"proxy 503":                {secure.URL, proxied(t, "503 Down"), "the proxy could not connect to the server (its status is 503)", 2},
		"proxy down":               {secure.URL, byProxy(closedAddress(t)), "the proxy cannot be reached", 2},
		"refused":                  {"https://" + closedAddress(t), new(http.Transport), "connection refused", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, err := trulioo.NewClient(trulioo.WithBaseURL(c.base), trulioo.WithHTTPClient(&http.Client{Transport: c.transport}),
				trulioo.WithTokenSource(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "t"})),
				trulioo.WithRetry(trulioo.RetryPolicy{MaxAttempts: 2, MinWait: 1}))
			require.NoError(t, err)
			defer client.CloseIdleConnections()
			_, err = client.Workflows.List(t.Context(), nil)
			var down *trulioo.TransportError
			require.ErrorAs(t, err, &down)
			assert.Equal(t, c.reason, down.Reason)
			assert.Equal(t, c.attempts, down.Attempts)
			require.NotErrorIs(t, err, trulioo.ErrUnauthorized)
		})
	}

	t.Run("plain http to a TLS port that answers with a page", func(t *testing.T) {
		t.Parallel()
		client, err := trulioo.NewClient(trulioo.WithBaseURL("http://"+secure.Listener.Addr().String()),
			trulioo.WithTokenSource(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "t"})))
		require.NoError(t, err)
		defer client.CloseIdleConnections()
		_, err = client.Workflows.List(t.Context(), nil)
		require.ErrorContains(t, err, "status 400 Bad Request, the server speaks TLS, not plain http")
	})

	t.Run("a proxy's 407 to plain http", func(t *testing.T) {
		t.Parallel()
		transport := proxied(t, "407 Who are you")
		client, err := trulioo.NewClient(trulioo.WithInsecureHTTP(), trulioo.WithBaseURL("http://api.example"), trulioo.WithTokenURL("http://auth.example"),
			trulioo.WithCredentials("id", "secret"), trulioo.WithHTTPClient(&http.Client{Transport: transport}))
		require.NoError(t, err)
		defer client.CloseIdleConnections()
		_, err = client.Workflows.List(t.Context(), nil)
		var auth *trulioo.AuthError
		require.ErrorAs(t, err, &auth)
		assert.Equal(t, "the proxy requires a user name and a password", auth.Reason)
		require.NotErrorIs(t, err, trulioo.ErrUnauthorized)
		assert.Equal(t, 1, auth.Attempts)
	})
}

func tlsServer(t *testing.T, config *tls.Config) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.TLS = config
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// tls10 is the address of a server that chooses TLS 1.0, whatever is offered.
func tls10(t *testing.T) string {
	t.Helper()
	hello := append([]byte{3, 1}, make([]byte, 32)...)                // version, random
	hello = append(hello, 0, 0, 0x2f, 0)                              // no session, a cipher, no compression
	hello = append([]byte{2, 0, 0, byte(len(hello))}, hello...)       //nolint:gosec // a ServerHello of a few dozen bytes
	record := append([]byte{22, 3, 1, 0, byte(len(hello))}, hello...) //nolint:gosec // of a handshake
	return answering(t, string(record))
}

// answering is the address of a server that answers everything with these bytes, and
// hangs up.
func answering(t *testing.T, with string) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 16<<10))
			_, _ = io.WriteString(conn, with)
			_ = conn.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, conn)
			_ = conn.Close()
		}
	}()
	return l.Addr().String()
}

// closedAddress is an address on which nobody listens.
func closedAddress(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

func byProxy(address string) *http.Transport {
	return &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: address})}
}

// proxied goes through a proxy that answers every request with this status.
func proxied(t *testing.T, status string) *http.Transport {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = http.ReadRequest(bufio.NewReader(conn))
			_, _ = io.WriteString(conn, "HTTP/1.1 "+status+"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			_ = conn.Close()
		}
	}()
	return byProxy(l.Addr().String())
}

// A 204 is an answer: no attempt gets more of it.
func TestNoContentIsOneRequest(t *testing.T) {
	t.Parallel()
	for _, status := range []int{204, 205} {
		requests := 0
		client, err := trulioo.NewClient(trulioo.WithTokenSource(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "t"})),
			trulioo.WithHTTPClient(&http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
				requests++
				return &http.Response{StatusCode: status, Body: http.NoBody, Header: http.Header{}, Request: req}, nil
			})}))
		require.NoError(t, err)
		for name, call := range jsonCalls(client) {
			requests = 0
			err := call(t.Context())
			var wrong *trulioo.DecodeError
			require.ErrorAs(t, err, &wrong, name)
			require.ErrorIs(t, err, trulioo.ErrUnexpectedAnswer)
			assert.Contains(t, err.Error(), "has no content: status 20")
			assert.Equal(t, 1, requests, name)
		}
	}
}
