package transport

import (
	"net/http"
	"time"
)

const (
	idlePerHost = 128 // connections kept: more than the workers of any sensible export
	pingAfter   = 15 * time.Second
	pingWait    = 15 * time.Second
)

// Fit gives a clone of an http.Transport that keeps enough idle connections for
// many calls at once to one host, and finds out by pings when an HTTP/2
// connection is dead. It returns any other RoundTripper as it is.
func Fit(base http.RoundTripper) http.RoundTripper {
	t, ok := base.(*http.Transport)
	if !ok {
		return base
	}
	t = t.Clone()
	t.MaxIdleConnsPerHost = max(t.MaxIdleConnsPerHost, idlePerHost)
	if t.MaxIdleConns > 0 {
		t.MaxIdleConns = max(t.MaxIdleConns, 2*idlePerHost)
	}
	pings := http.HTTP2Config{}
	if t.HTTP2 != nil {
		pings = *t.HTTP2
	}
	if pings.SendPingTimeout == 0 {
		pings.SendPingTimeout, pings.PingTimeout = pingAfter, pingWait
	}
	t.HTTP2 = &pings
	t.OnProxyConnectResponse = proxyAnswer(t.OnProxyConnectResponse) //nolint:bodyclose // a hook, which is given an answer
	return t
}
