package web

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// gate lets one browser in: the one that opens the first address gets a cookie, and every
// other request needs it. A page of another origin, a name that was rebound to this
// address, and a browser without the cookie get nothing.
type gate struct {
	origin string   // such as http://127.0.0.1:41523
	hosts  []string // what Host may say
	cookie string   // its name: cookies are shared between ports
	secret string   // its value

	mu    sync.Mutex
	token string // of the first address; "" once it was used
}

// newGate refuses an address that others could reach.
func newGate(address net.Addr) (*gate, error) {
	tcp, ok := address.(*net.TCPAddr)
	if !ok || !tcp.IP.IsLoopback() {
		return nil, errors.New("the page is served on a loopback address only")
	}
	_, port, err := net.SplitHostPort(address.String())
	if err != nil {
		return nil, err
	}
	host := address.String()
	return &gate{
		origin: "http://" + host, hosts: []string{host, "localhost:" + port},
		cookie: "trulioo-inspect-" + port, secret: rand.Text(), token: rand.Text(),
	}, nil
}

func (g *gate) first() string { return g.origin + "/enter/" + g.token }

// headers are the headers of every answer.
var headers = map[string]string{
	"Cache-Control":                "no-store",
	"Content-Security-Policy":      "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Permissions-Policy":           "camera=(), geolocation=(), microphone=()",
	"Referrer-Policy":              "same-origin", // no-referrer would hide the origin of our own forms
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
	"X-Robots-Tag":                 "noindex",
}

func (g *gate) guard(inside http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range headers {
			w.Header().Set(name, value)
		}
		switch {
		case !g.known(r.Host):
			refuse(w, http.StatusMisdirectedRequest, "the request names another host")
		case !g.ownOrigin(r):
			refuse(w, http.StatusForbidden, "this request comes from another page")
		case r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/enter/"):
			g.enter(w, strings.TrimPrefix(r.URL.Path, "/enter/"))
		case !g.entered(r):
			refuse(w, http.StatusUnauthorized, "open the address that \"trulioo inspect\" has printed; it works once")
		default:
			inside.ServeHTTP(w, r)
		}
	})
}

func refuse(w http.ResponseWriter, status int, why string) { http.Error(w, why, status) }

func (g *gate) known(host string) bool { return slices.Contains(g.hosts, host) }

// ownOrigin reports whether a request is of this page, or typed by a person. A request
// that changes something must say that it is of this page.
func (g *gate) ownOrigin(r *http.Request) bool {
	origin, site := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
	if origin != "" {
		at, err := url.Parse(origin)
		return err == nil && at.Scheme == "http" && g.known(at.Host) && at.Host == r.Host
	}
	if r.Method != http.MethodGet {
		return site == "same-origin"
	}
	entering := strings.HasPrefix(r.URL.Path, "/enter/") // a terminal in a browser is another site
	return site == "" || site == "same-origin" || site == "none" || entering
}

func (g *gate) entered(r *http.Request) bool {
	for _, cookie := range r.CookiesNamed(g.cookie) {
		if subtle.ConstantTimeCompare([]byte(cookie.Value), []byte(g.secret)) == 1 {
			return true
		}
	}
	return false
}

// enter takes the token once. It answers with a page that goes on to the overview by
// itself, so that the next request is this origin's and brings the cookie.
func (g *gate) enter(w http.ResponseWriter, token string) {
	g.mu.Lock()
	good := g.token != "" && subtle.ConstantTimeCompare([]byte(token), []byte(g.token)) == 1
	if good {
		g.token = ""
	}
	g.mu.Unlock()
	if !good {
		refuse(w, http.StatusUnauthorized, "this address is wrong, or was used already; start \"trulioo inspect\" again")
		return
	}
	http.SetCookie(w, &http.Cookie{Name: g.cookie, Value: g.secret, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode}) //nolint:gosec // loopback has no TLS
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte(`<!doctype html><html lang="en"><title>trulioo</title><link rel="icon" href="/icon.svg"><meta http-equiv="refresh" content="0;url=/"><p><a href="/">Go on</a></p></html>`))
}
