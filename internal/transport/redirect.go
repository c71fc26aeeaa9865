package transport

import (
	"net/http"
	"net/url"
	"strings"
)

const maxRedirects = 5

// withinOrigin follows a redirect of a JSON call only to the API itself: no other
// server may send profiles. A refused redirect is the call's answer, a 3xx.
func (t *Transport) withinOrigin(req *http.Request, via []*http.Request) error {
	if !SameOrigin(t.config.Origin, req.URL) {
		return http.ErrUseLastResponse
	}
	return notDownwards(req, via)
}

// notDownwards follows a redirect of a file to any host, since the API may give an
// object store's address, but never from https to plain http.
func notDownwards(req *http.Request, via []*http.Request) error {
	// net/http sets it to the address before, which may hold a file key.
	req.Header.Del("Referer")
	if len(via) > maxRedirects {
		return http.ErrUseLastResponse
	}
	from, to := via[len(via)-1].URL.Scheme, req.URL.Scheme
	if to == "https" || to == "http" && from == "http" {
		return nil
	}
	return http.ErrUseLastResponse
}

// never follows no redirect: a 307 would send the secrets of the POST elsewhere.
func never(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// SameOrigin reports whether scheme, host and port are equal.
func SameOrigin(a, b *url.URL) bool {
	if a.Scheme == b.Scheme && a.Host == b.Host {
		return true
	}
	return strings.EqualFold(a.Scheme, b.Scheme) && strings.EqualFold(a.Hostname(), b.Hostname()) && Port(a) == Port(b)
}

// Port is the address's port, or its scheme's.
func Port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if strings.EqualFold(u.Scheme, "https") {
		return "443"
	}
	return "80"
}
